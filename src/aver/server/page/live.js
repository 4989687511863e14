// Camera and microphone, scored while it happens. Pictures and sound go to this server and nowhere
// else; nothing of them is kept.

import { announce, fill, h } from "./dom.js";
import { Paint } from "./palette.js";

const LONGEST_SIDE = 480;
const JPEG_QUALITY = 0.8;
const SAMPLE_RATE = 16000;
const CURVE_SECONDS = 30;
const MOST_WAITING = 1 << 20; // bytes that may wait in the browser before pictures are left out
const SHOWN_SECONDS = 1.5; // a person who was last scored longer ago is no longer drawn

/** The live view, inside *place*. `prepare` is awaited before a connection is opened. */
export function mount(place, { prepare = async () => {} } = {}) {
  if (!document.querySelector('link[href$="live.css"]')) {
    document.head.append(h("link", { rel: "stylesheet", href: "live.css" }));
  }
  const view = new LiveView(place, prepare);
  return { stop: () => view.stop() };
}

class LiveView {
  constructor(place, prepare) {
    this.prepare = prepare;
    this.video = h("video", { class: "live-video", playsinline: true, "aria-label": "Your camera" });
    this.video.muted = true;
    this.boxes = h("canvas", { class: "live-boxes", "aria-hidden": "true" });
    this.curve = h("canvas", { class: "live-curve", role: "img", "aria-label": "Scores of the last half minute" });
    this.people = h("div", { class: "live-people" });
    this.state = h("p", { class: "live-state", role: "status" }, "Not running.");
    this.facts = h("p", { class: "live-facts" });
    this.listen = h("input", { type: "checkbox", id: "live-sound", checked: true });
    this.button = h("button", { type: "button", class: "primary", onclick: () => this.toggle() }, "Start camera");
    fill(
      place,
      h("div", { class: "row live-controls" }, this.button, h("label", { for: "live-sound" }, this.listen, " with microphone")),
      h("p", { class: "live-note" },
        "Pictures and sound go to this server only, are scored and forgotten. The scores say which emotion a face or voice expresses, not what anybody feels."),
      this.state,
      h("div", { class: "live-stage" }, h("div", { class: "live-picture" }, this.video, this.boxes), this.people),
      this.curve,
      this.facts,
    );
    this.running = null;
  }

  toggle() {
    if (this.running) this.stop("Stopped.");
    else this.start().catch((error) => this.stop(told(error)));
  }

  async start() {
    const run = { stopped: false, timers: [], delays: [], scored: 0, skipped: 0, dropped: 0, history: [], last: new Map() };
    this.running = run;
    this.button.textContent = "Stop";
    this.say("Waiting for the camera.");
    if (!navigator.mediaDevices) throw new Error("Browsers give the camera to pages of this machine (localhost) or over HTTPS only.");
    const media = await this.media(this.listen.checked);
    run.media = media;
    if (run.stopped) { end(run); return; }
    this.video.srcObject = media;
    await this.video.play();
    await this.prepare();
    if (run.stopped) { end(run); return; }
    this.say("Getting the networks ready.");
    const address = new URL("v1/live", location.href);
    address.protocol = address.protocol.replace("http", "ws");
    const socket = new WebSocket(address);
    socket.binaryType = "arraybuffer";
    run.socket = socket;
    socket.onmessage = (event) => this.take(run, JSON.parse(event.data));
    socket.onclose = () => { if (this.running === run) this.stop(run.problem ?? "The connection has ended."); };
  }

  async media(sound) {
    const picture = { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 30 } };
    try {
      return await navigator.mediaDevices.getUserMedia({ video: picture, audio: sound });
    } catch (error) {
      // Without a microphone the face can still be seen.
      if (!sound || error.name === "NotAllowedError") throw error;
      return navigator.mediaDevices.getUserMedia({ video: picture });
    }
  }

  take(run, message) {
    if (this.running !== run) return;
    if (message.type === "problem") {
      run.problem = `${message.title}. ${message.detail}`;
    } else if (message.type === "ready") {
      run.labels = message.labels;
      this.paint = new Paint(message.labels);
      this.say("Running.");
      this.sendPictures(run, message.frames_per_second);
      this.sendSound(run).catch((error) => this.say(`Running without sound: ${told(error)}`));
      const draw = () => { if (!run.stopped) { this.draw(run); run.frame = requestAnimationFrame(draw); } };
      draw();
    } else {
      this.keep(run, message);
    }
  }

  keep(run, message) {
    const now = performance.now() / 1000;
    run.dropped = message.dropped_pictures;
    if (message.type === "scores") {
      run.scored += 1;
      run.delays.push(now - message.time);
      if (run.delays.length > 100) run.delays.shift();
    }
    for (const score of message.people ?? []) {
      run.last.set(score.person, { ...score, seen: now });
      run.history.push({ time: now, person: score.person, fused: score.fused });
    }
    while (run.history.length && run.history[0].time < now - CURVE_SECONDS) run.history.shift();
    for (const [person, score] of run.last) if (now - score.seen > SHOWN_SECONDS) run.last.delete(person);
    // Tests and curious people read it here.
    this.facts.dataset.scored = run.scored;
    this.facts.dataset.dropped = run.dropped + run.skipped;
    this.facts.dataset.delay = Math.round(1000 * median(run.delays));
  }

  sendPictures(run, rate) {
    const canvas = document.createElement("canvas");
    const context = canvas.getContext("2d", { willReadFrequently: true });
    let making = false;
    run.timers.push(setInterval(() => {
      const { videoWidth: width, videoHeight: height } = this.video;
      if (!width || run.socket.readyState !== WebSocket.OPEN) return;
      if (making || run.socket.bufferedAmount > MOST_WAITING) { run.skipped += 1; return; }
      making = true;
      const time = performance.now() / 1000;
      const scale = Math.min(1, LONGEST_SIDE / Math.max(width, height));
      canvas.width = Math.round(width * scale);
      canvas.height = Math.round(height * scale);
      context.drawImage(this.video, 0, 0, canvas.width, canvas.height);
      run.size = [canvas.width, canvas.height];
      canvas.toBlob(async (blob) => {
        try {
          if (blob && !run.stopped) send(run.socket, 1, time, new Uint8Array(await blob.arrayBuffer()));
        } finally { making = false; }
      }, "image/jpeg", JPEG_QUALITY);
    }, 1000 / rate));
  }

  async sendSound(run) {
    const tracks = run.media.getAudioTracks();
    if (!tracks.length) return;
    const context = new AudioContext({ sampleRate: SAMPLE_RATE });
    run.sound = context;
    await context.audioWorklet.addModule("live_sound.js");
    if (run.stopped) { context.close(); return; }
    const node = new AudioWorkletNode(context, "aver-sound", { numberOfOutputs: 0, channelCount: 1, channelCountMode: "explicit" });
    node.port.onmessage = ({ data }) => {
      const seconds = data.byteLength / 2 / SAMPLE_RATE;
      if (!run.stopped && run.socket.readyState === WebSocket.OPEN && run.socket.bufferedAmount < MOST_WAITING) {
        send(run.socket, 2, performance.now() / 1000 - seconds, new Uint8Array(data));
      }
    };
    context.createMediaStreamSource(new MediaStream(tracks)).connect(node);
  }

  draw(run) {
    const now = performance.now() / 1000;
    const shown = [...run.last.values()].filter((score) => now - score.seen <= SHOWN_SECONDS);
    this.drawBoxes(run, shown);
    if (!run.listed || now - run.listed > 0.2) {
      run.listed = now;
      this.list(run, shown);
      this.drawCurve(run, now);
      const late = run.delays.length ? `${Math.round(1000 * median(run.delays))} ms late` : "";
      this.facts.textContent = [late, `${run.scored} pictures scored`, `${run.dropped + run.skipped} left out`].filter(Boolean).join(" · ");
    }
  }

  drawBoxes(run, shown) {
    const { canvas, context } = sized(this.boxes);
    context.clearRect(0, 0, canvas.width, canvas.height);
    if (!run.size) return;
    const scale = Math.min(canvas.width / run.size[0], canvas.height / run.size[1]);
    const left = (canvas.width - scale * run.size[0]) / 2, top = (canvas.height - scale * run.size[1]) / 2;
    const line = 2 * (devicePixelRatio || 1);
    context.font = `600 ${7 * line}px ${this.paint.font}`;
    context.lineWidth = line;
    for (const score of shown.filter((s) => s.box)) {
      const [x, y, width, height] = score.box.map((value) => value * scale);
      const best = top1(score.fused);
      context.strokeStyle = this.paint.labels[best];
      context.setLineDash(score.weak ? [3 * line, 2 * line] : []);
      context.strokeRect(left + x, top + y, width, height);
      const text = `${score.person}: ${score.weak ? "weak evidence" : `${run.labels[best]} ${percent(score.fused[best])}`}`;
      const room = context.measureText(text).width + 4 * line;
      const above = Math.max(top + y - 10 * line, 0);
      context.fillStyle = this.paint.card;
      context.fillRect(left + x - line / 2, above, room, 10 * line);
      context.fillStyle = this.paint.ink;
      context.fillText(text, left + x + 1.5 * line, above + 7.5 * line);
    }
  }

  list(run, shown) {
    fill(this.people, shown.length ? shown.sort((a, b) => (a.person ?? 1e9) - (b.person ?? 1e9)).map((score) => this.card(run, score)) : h("p", {}, "No face, no voice."));
  }

  card(run, score) {
    const best = top1(score.fused);
    const who = score.person === null ? "A voice" : `Person ${score.person}`;
    const heard = score.voice ? (score.face ? "face and voice" : "voice") : "face";
    return h("section", { class: "live-card" },
      h("h3", {}, `${who} `, h("small", {}, score.weak ? `${heard}, weak evidence` : heard)),
      h("dl", {}, run.labels.map((label, i) => [
        h("dt", { class: i === best && !score.weak ? "best" : null }, label),
        h("dd", {},
          h("span", { class: "live-bar", style: { "inline-size": `${100 * score.fused[i]}%`, background: this.paint.labels[i] } }),
          h("span", { class: "live-number" }, percent(score.fused[i]))),
      ])));
  }

  drawCurve(run, now) {
    const { canvas, context } = sized(this.curve);
    context.clearRect(0, 0, canvas.width, canvas.height);
    const person = [...run.last.keys()].sort((a, b) => (a ?? 1e9) - (b ?? 1e9))[0];
    const points = run.history.filter((entry) => entry.person === person);
    const x = (time) => canvas.width * (1 - (now - time) / CURVE_SECONDS);
    const y = (value) => canvas.height * (1 - value * 0.96) - 1;
    context.strokeStyle = this.paint.rule;
    context.lineWidth = devicePixelRatio || 1;
    for (const value of [0, 0.5, 1]) { context.beginPath(); context.moveTo(0, y(value)); context.lineTo(canvas.width, y(value)); context.stroke(); }
    context.lineWidth = 1.8 * (devicePixelRatio || 1);
    run.labels.forEach((_, i) => {
      context.strokeStyle = this.paint.labels[i];
      context.beginPath();
      let before = -Infinity;
      for (const { time, fused } of points) {
        if (time - before > 1) context.moveTo(x(time), y(fused[i]));
        else context.lineTo(x(time), y(fused[i]));
        before = time;
      }
      context.stroke();
    });
  }

  say(text) {
    this.state.textContent = text;
    announce(text);
  }

  stop(why = "Stopped.") {
    const run = this.running;
    this.running = null;
    if (run) end(run);
    this.video.srcObject = null;
    this.button.textContent = "Start camera";
    const { canvas, context } = sized(this.boxes);
    context.clearRect(0, 0, canvas.width, canvas.height);
    this.say(why);
  }
}

function end(run) {
  run.stopped = true;
  run.timers.forEach(clearInterval);
  cancelAnimationFrame(run.frame);
  run.media?.getTracks().forEach((track) => track.stop());
  run.sound?.close();
  if (run.socket && run.socket.readyState <= WebSocket.OPEN) run.socket.close(1000);
}

function send(socket, kind, time, payload) {
  const message = new Uint8Array(9 + payload.length);
  const head = new DataView(message.buffer);
  head.setUint8(0, kind);
  head.setFloat64(1, time, true);
  message.set(payload, 9);
  socket.send(message);
}

/** The canvas at the size it is shown at, in the screen's own pixels. */
function sized(canvas) {
  const ratio = devicePixelRatio || 1;
  const [width, height] = [Math.round(canvas.clientWidth * ratio), Math.round(canvas.clientHeight * ratio)];
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  return { canvas, context: canvas.getContext("2d") };
}

function told(error) {
  if (error?.name === "NotAllowedError") return "The browser was not allowed to use the camera. Allow it in the address bar and start again.";
  if (error?.name === "NotFoundError") return "There is no camera on this machine.";
  if (error?.name === "NotReadableError") return "Another program is using the camera.";
  return error?.message || String(error);
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted.length ? sorted[Math.floor(sorted.length / 2)] : 0;
}

const top1 = (scores) => scores.reduce((best, value, i) => (value > scores[best] ? i : best), 0);
const percent = (value) => `${Math.round(100 * value)} %`;
