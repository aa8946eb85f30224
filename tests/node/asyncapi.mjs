// Says what @asyncapi/parser finds in the document of the given path, as JSON; remarks of every severity.
import { readFileSync } from "node:fs";
import { Parser } from "@asyncapi/parser";

const { document, diagnostics } = await new Parser().parse(readFileSync(process.argv[2], "utf8"));
const remarks = diagnostics.map(({ code, severity, message, path }) => ({ code, severity, message, path }));
console.log(JSON.stringify({ parsed: document !== undefined, operations: document?.operations().length, remarks }));
