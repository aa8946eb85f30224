// Copies what the pages under /docs need of npm into decabilld/http/assets/vendor, whence the daemon serves it offline.
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";

const FILES = {
  "swagger-ui-dist": ["swagger-ui-bundle.js", "swagger-ui-bundle.js.LICENSE.txt", "swagger-ui.css", "LICENSE", "NOTICE"],
  "@asyncapi/react-component": [
    "browser/standalone/without-parser.js",
    "browser/standalone/without-parser.js.LICENSE.txt",
    "styles/default.min.css",
    "LICENSE",
  ],
  "socket.io-client": ["dist/socket.io.min.js", "LICENSE"],
};
const target = process.argv[2];
const versions = {};
for (const [name, files] of Object.entries(FILES)) {
  const from = fileURLToPath(new URL(`node_modules/${name}`, import.meta.url));
  const short = name.replace("@", "").replace("/", "-");
  mkdirSync(join(target, short), { recursive: true });
  for (const file of files) copyFileSync(join(from, file), join(target, short, basename(file)));
  versions[name] = JSON.parse(readFileSync(join(from, "package.json"), "utf8")).version;
}
writeFileSync(join(target, "versions.json"), JSON.stringify(versions, null, 2) + "\n");
