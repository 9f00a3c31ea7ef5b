// Calls timekit-sdk for whoever writes to stdin: a line of JSON a call, a line of JSON an answer.
// Nothing is put right on the way: what the SDK resolves or rejects with is what is written.
"use strict";
const { createInterface } = require("node:readline");
const timekit = require("timekit-sdk").newInstance();

const shown = ({ status, data, metaData }) => ({ status, data, meta: metaData });

async function answer({ base, key, method, argument, include, params, headers }) {
  timekit.configure({ apiBaseUrl: base, appKey: key });
  if (include) timekit.include(include);
  if (params) timekit.carry({ params });
  if (headers) timekit.headers(headers);
  try {
    return { rejected: false, ...shown(await timekit[method](argument)) };
  } catch (reason) {
    if (!reason.status) throw reason;
    return { rejected: true, ...shown(reason) };
  }
}

async function main() {
  for await (const line of createInterface({ input: process.stdin })) {
    console.log(JSON.stringify(await answer(JSON.parse(line))));
  }
}

main();
