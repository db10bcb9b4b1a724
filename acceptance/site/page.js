// Asks the edge for everything a site asks for and writes what it saw into the page, as JSON.
import { greeting } from "/imported.js";

const api = `https://api.shop.localhost:${location.port}`;

const checks = {
  async page() {
    await new Promise((done) => (document.readyState === "complete" ? done() : addEventListener("load", done)));
    return {
      style: getComputedStyle(document.body).backgroundColor,
      picture: document.getElementById("picture").naturalWidth,
      module: greeting,
      protocol: performance.getEntriesByType("navigation")[0].nextHopProtocol,
      secure: isSecureContext,
    };
  },

  // Not simple: the browser asks first with OPTIONS, and the edge's policy answers.
  async cors() {
    const reply = await fetch(`${api}/items/1`, {
      method: "PUT",
      credentials: "include",
      headers: { "Content-Type": "application/json", "X-Token": "t" },
      body: JSON.stringify({ name: "first" }),
    });
    return { status: reply.status, exposed: reply.headers.get("X-Item"), hidden: reply.headers.get("X-Hidden"),
             ...(await reply.json()) };
  },

  async refusals() {
    const outcome = (request) => request.then(() => "read", (error) => error.name);
    return {
      header: await outcome(fetch(`${api}/items/2`, { headers: { "X-Other": "1" } })),
      policy: await outcome(fetch(`${api}/closed/1`)),
    };
  },

  async cookies() {
    await fetch("/session/start");
    const shown = await (await fetch("/session/show")).json();
    await fetch(`${api}/items/login`, { credentials: "include" });
    const elsewhere = await (await fetch(`${api}/items/3`, { credentials: "include" })).json();
    return { sent: shown.cookie, script: document.cookie, elsewhere: elsewhere.cookie };
  },

  // The browser asks anew and says so; CloudFront's cache does not listen to viewers.
  async cache() {
    const reply = await fetch("/style.css", { cache: "reload" });
    return { xCache: reply.headers.get("X-Cache"), frame: reply.headers.get("X-Frame-Options") };
  },

  async missing() {
    const reply = await fetch("/no/such/page");
    return { status: reply.status, page: (await reply.text()).includes('id="missing"') };
  },

  socket() {
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(`wss://${location.host}/socket`, ["other", "echo"]);
      const saw = { text: null, bytes: 0 };
      socket.binaryType = "arraybuffer";
      socket.onopen = () => { socket.send("hello"); socket.send(new Uint8Array(100000).fill(7)); };
      socket.onerror = () => reject(new Error("the WebSocket failed"));
      socket.onmessage = ({ data }) => {
        if (typeof data === "string") { saw.text = data; return; }
        saw.bytes = new Uint8Array(data).filter((byte) => byte === 7).length;
        socket.close(4001, "done");
      };
      socket.onclose = ({ code, reason, wasClean }) =>
        resolve({ ...saw, protocol: socket.protocol, code, reason, wasClean });
    });
  },
};

const saw = {};
for (const [name, check] of Object.entries(checks)) {
  try {
    saw[name] = await check();
  } catch (error) {
    saw[name] = `${error.name}: ${error.message}`;
  }
  document.getElementById("saw").textContent = JSON.stringify(saw, null, 2);
}
document.documentElement.dataset.done = "yes";
