// Plays one stream with a player of another project. `?script=` is the file of that player, `?clock=` milliseconds by which this
// page's clock is wrong.

const parameters = new URLSearchParams(location.search);
const wrong = Number(parameters.get("clock") ?? 0);
if (wrong !== 0) {
  const Right = Date;
  window.Date = class extends Right {
    constructor(...args) {
      super(...(args.length === 0 ? [Right.now() + wrong] : args));
    }

    static now() {
      return Right.now() + wrong;
    }
  };
}

const video = document.querySelector("video");
const state = { faults: [], first: null, shown: new Set() };
const fault = (what) => state.faults.push(String(what));

function load(source) {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.onload = resolve;
    script.onerror = () => reject(new Error(`${source} is missing`));
    script.src = source;
    document.head.append(script);
  });
}

const engines = {
  mpegts(url, options) {
    const { type, ...config } = options;
    const player = mpegts.createPlayer({ type, isLive: true, url }, config);
    player.on(mpegts.Events.ERROR, (kind, detail, info) => fault(`${kind} ${detail} ${info?.msg}`));
    player.on(mpegts.Events.LOADING_COMPLETE, () => fault("the stream has ended"));
    player.attachMediaElement(video);
    player.load();
    return player;
  },
  hls(url, config) {
    const player = new Hls(config);
    player.on(Hls.Events.ERROR, (_, data) => {
      if (data.fatal) fault(`${data.type} ${data.details} ${data.error}`);
    });
    player.loadSource(url);
    player.attachMedia(video);
    return player;
  },
  async shaka(url, config) {
    shaka.polyfill.installAll();
    const player = new shaka.Player();
    player.configure(config);
    player.addEventListener("error", ({ detail }) => {
      if (detail.severity === shaka.util.Error.Severity.CRITICAL) fault(`shaka ${detail.code} ${detail.data}`);
    });
    await player.attach(video);
    await player.load(url);
    return player;
  },
  dash(url, settings) {
    const player = dashjs.MediaPlayer().create();
    player.updateSettings(settings);
    player.on(dashjs.MediaPlayer.events.ERROR, ({ error }) => fault(`dash.js ${error.code} ${error.message}`));
    player.initialize(video, url, true);
    return player;
  },
};

/** Begins to play. */
window.play = async (engine, url, config) => {
  await load(parameters.get("script"));
  try {
    window.player = await engines[engine](url, config);
  } catch (error) {
    fault(`${error} ${error.code ?? ""} ${error.data ?? ""}`);
    return;
  }
  // A player that seeks or changes its source interrupts this.
  video.play().catch(() => {});
};

/** Whether two seconds have been played: frames are decoded, and the picture is another one again and again. A fault ends it. */
window.moves = () => {
  if (state.faults.length > 0) return state.faults.join("\n");
  if (video.error) return `${video.error.code} ${video.error.message}`;
  if (video.paused && video.readyState >= 2) video.play().catch(() => {});
  const time = burntTime(video);
  const frames = video.getVideoPlaybackQuality().totalVideoFrames;
  if (time === null) return false;
  state.first ??= { time: video.currentTime, frames };
  state.shown.add(time);
  const isThere = video.currentTime - state.first.time >= 2 && frames - state.first.frames >= 25 && state.shown.size >= 10;
  return isThere ? "moves" : false;
};

/** What can be seen of the player, for a test that has waited in vain. */
window.describe = () => JSON.stringify({
  faults: state.faults, first: state.first, shown: state.shown.size, time: video.currentTime, ready: video.readyState,
  paused: video.paused, frames: video.getVideoPlaybackQuality().totalVideoFrames,
  buffered: Array.from(video.buffered, (_, n) => [video.buffered.start(n), video.buffered.end(n)]),
});

/** How many milliseconds ago pictures were sent that are shown within this many seconds, four times a second. */
window.delays = async (seconds, began) => {
  const found = [];
  for (let n = 0; n < seconds * 4; n += 1) {
    await new Promise((resolve) => setTimeout(resolve, 250));
    const delay = burntDelay(video, began);
    if (delay !== null) found.push(delay);
  }
  return found;
};
