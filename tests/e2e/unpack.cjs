// Unpacks what @sparticuz/chromium carries: node unpack.cjs <its bin directory> <where to>
// Python's standard library has no Brotli, Node's has.
"use strict";
const { brotliDecompressSync } = require("node:zlib");
const { readdirSync, readFileSync, writeFileSync } = require("node:fs");
const { join } = require("node:path");

const [from, to] = process.argv.slice(2);
for (const name of readdirSync(from).filter((name) => name.endsWith(".br"))) {
  const unpacked = brotliDecompressSync(readFileSync(join(from, name)));
  writeFileSync(join(to, name.slice(0, -".br".length)), unpacked, { mode: 0o755 });
}
