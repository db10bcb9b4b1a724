'use strict';

const WAIT_MS = Number(process.env.WAIT_MS ?? 1500);

// Lives as long as the process: it counts how often the function really ran.
let runs = 0;

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

module.exports.hello = async (event) => {
  await sleep(WAIT_MS);
  runs += 1;
  return {
    statusCode: 200,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      message: 'Hello from behind the edge',
      path: event.rawPath,
      runs,
      time: new Date().toISOString(),
    }),
  };
};
