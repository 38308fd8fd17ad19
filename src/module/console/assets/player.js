// The player: live FLV with mpegts.js, HLS with hls.js or the browser's own.

import { h, text } from "./dom.js";

const scripts = new Map();

/** Loads one of the page's own scripts once. */
function script(name) {
  if (!scripts.has(name)) {
    scripts.set(name, new Promise((resolve, reject) => {
      const failed = () => {
        scripts.delete(name);
        reject(new Error("the player could not be loaded"));
      };
      document.head.append(h("script", { src: `assets/${name}`, onload: resolve, onerror: failed }));
    }));
  }
  return scripts.get(name);
}

/** Formats that a stream can be played in. */
export function formats(settings) {
  const found = [];
  if (settings.flv) found.push({ id: "flv", label: "FLV", url: (app, name) => `${settings.flv}/${name}.flv?app=${app}` });
  if (settings.hls) found.push({ id: "hls", label: "HLS", url: (app, name) => `${settings.hls}/${name}.m3u8?app=${app}` });
  return found;
}

/** A player of one stream. `app` and `name` are percent-encoded. */
export class Player {
  constructor(settings, app, name, poster) {
    this.settings = settings;
    [this.app, this.name] = [app, name];
    this.video = h("video", { muted: true, playsinline: true, poster });
    this.video.muted = true;
    this.message = h("p", { class: "message", role: "status" });
    this.figures = h("dl", { class: "figures" });
    this.choice = h("div", { class: "choice", role: "group", "aria-label": "Format" });
    this.button = h("button", { type: "button", class: "play", "aria-label": "Play", onclick: () => this.play() }, "▶");
    this.frame = h("div", { class: "screen" }, this.video, this.button, this.message);
    this.node = h("div", { class: "player" }, this.frame, h("div", { class: "under" }, this.choice, this.figures));
    this.format = null;
    for (const format of formats(settings)) {
      const button = h("button", { type: "button", "aria-pressed": "false", onclick: () => this.play(format) }, format.label);
      button.format = format.id;
      this.choice.append(button);
    }
    this.shown = Object.fromEntries(["Buffer", "Dropped", "Picture"].map((name) => {
      const value = h("dd", {}, "–");
      this.figures.append(h("div", {}, h("dt", {}, name), value));
      return [name, value];
    }));
    this.timer = setInterval(() => this.measure(), 1000);
    if (formats(settings).length === 0) {
      this.button.hidden = true;
      this.say("The console's location names no location to play from.");
    }
  }

  say(message) {
    text(this.message, message);
    this.message.hidden = !message;
  }

  async play(format = this.format ?? formats(this.settings)[0]) {
    if (!format) return;
    this.stop();
    this.format = format;
    const turn = (this.turn = {});
    this.button.hidden = true;
    this.video.controls = true;
    for (const button of this.choice.children) button.setAttribute("aria-pressed", button.format === format.id);
    this.say("Waiting for the stream…");
    const url = new URL(format.url(this.app, this.name), location.href).href;
    try {
      const engine = format.id === "flv" ? flv : hls;
      const ended = (why) => turn === this.turn && this.ended(why);
      const stop = await engine(this.video, url, ended, () => turn === this.turn);
      if (turn !== this.turn) return stop?.();
      this.engineStop = stop;
      this.video.onplaying = () => this.say("");
      await this.video.play();
    } catch (error) {
      // A newer request has replaced this one.
      if (turn !== this.turn || error.name === "AbortError") return;
      this.ended(error.name === "NotAllowedError" ? "The browser waits for a click." : `Playing failed: ${error.message}`);
    }
  }

  ended(why) {
    this.stop();
    this.button.hidden = false;
    this.video.controls = false;
    this.say(why);
  }

  stop() {
    this.turn = null;
    this.engineStop?.();
    this.engineStop = null;
  }

  /** Ends it for good. */
  close() {
    clearInterval(this.timer);
    this.stop();
  }

  measure() {
    const { video, shown } = this;
    const { buffered } = video;
    const ahead = buffered.length > 0 ? buffered.end(buffered.length - 1) - video.currentTime : null;
    text(shown.Buffer, ahead === null ? "–" : `${ahead.toFixed(1)}\u202fs`);
    const quality = video.getVideoPlaybackQuality?.();
    text(shown.Dropped, quality && quality.totalVideoFrames > 0 ? quality.droppedVideoFrames : "–");
    text(shown.Picture, video.videoWidth > 0 ? `${video.videoWidth} × ${video.videoHeight}` : "–");
  }
}

async function flv(video, url, ended, isWanted) {
  await script("mpegts.js");
  if (!isWanted()) return null;
  const { mpegts } = window;
  if (!mpegts.isSupported()) throw new Error("this browser cannot play FLV; try HLS");
  const player = mpegts.createPlayer({ type: "flv", isLive: true, url }, {
    enableWorker: false, lazyLoad: false, enableStashBuffer: false, autoCleanupSourceBuffer: true,
    // More than two seconds behind, it skips; less, it plays a little faster until it is half a second behind.
    liveSync: true, liveSyncMaxLatency: 0.9, liveSyncTargetLatency: 0.5, liveSyncPlaybackRate: 1.25,
    liveBufferLatencyChasing: true, liveBufferLatencyChasingOnPaused: false, liveBufferLatencyMaxLatency: 2, liveBufferLatencyMinRemain: 0.6,
  });
  player.on(mpegts.Events.ERROR, (kind, detail, info) => {
    ended(info?.code === 404 ? "There is no such stream." : info?.code === 403 ? "The stream was refused." : `The stream broke: ${detail}`);
  });
  player.on(mpegts.Events.LOADING_COMPLETE, () => ended("The stream has ended."));
  player.attachMediaElement(video);
  player.load();
  return () => {
    player.destroy();
    video.removeAttribute("src");
    video.load();
  };
}

async function hls(video, url, ended, isWanted) {
  await script("hls.js");
  if (!isWanted()) return null;
  const { Hls } = window;
  if (!Hls.isSupported()) {
    if (!video.canPlayType("application/vnd.apple.mpegurl")) throw new Error("this browser cannot play HLS");
    video.src = url;
    video.onerror = () => ended("The stream broke.");
    return () => {
      video.onerror = null;
      video.removeAttribute("src");
      video.load();
    };
  }
  const player = new Hls({ enableWorker: false, lowLatencyMode: false });
  player.on(Hls.Events.ERROR, (_, data) => {
    if (data.fatal) ended(data.response?.code === 404 ? "There is no such stream." : `The stream broke: ${data.details}`);
  });
  player.loadSource(url);
  player.attachMedia(video);
  return () => player.destroy();
}
