// A browser's own client at the dashboard: subscribes, and prints a line of JSON for whatever it is told, in order.
// node dashboard.mjs URL TRANSPORT AUTH SUBSCRIPTION, the last two as JSON.
import { io } from "socket.io-client";

const [url, transport, auth, subscription] = process.argv.slice(2);
const say = (event, said) => console.log(JSON.stringify([event, said ?? null]));
const socket = io(url, { auth: JSON.parse(auth), transports: [transport], reconnection: false });
for (const event of ["dashboardStatusUpdate", "error", "disconnect"]) socket.on(event, (said) => say(event, said));
socket.on("connect_error", ({ message }) => say("connect_error", { message }));
socket.on("connect", () => {
  say("connect", socket.io.engine.transport.name);
  socket.emit("subscribeDashboardStatus", JSON.parse(subscription), () => say("ack", "subscribeDashboardStatus"));
});
