// Figures as texts.

const digits = (value) => (value >= 100 ? 0 : value >= 10 ? 1 : 2);

function scaled(value, base, units) {
  let at = 0;
  while (value >= base && at < units.length - 1) {
    value /= base;
    at += 1;
  }
  return `${at === 0 ? Math.round(value) : value.toFixed(digits(value))}\u202f${units[at]}`;
}

/** Bits per second. */
export const rate = (bits) => scaled(bits, 1000, ["b/s", "kb/s", "Mb/s", "Gb/s", "Tb/s"]);

/** Bytes. */
export const size = (bytes) => scaled(bytes, 1024, ["B", "KiB", "MiB", "GiB", "TiB"]);

/** A number with thin spaces between thousands. */
export const count = (number) => String(number).replace(/\B(?=(\d{3})+$)/g, "\u202f");

/** A duration in milliseconds, as two units at most. */
export function duration(ms) {
  const seconds = Math.floor(ms / 1000);
  const two = (number) => String(number).padStart(2, "0");
  if (seconds < 60) return `${seconds}\u202fs`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}:${two(seconds % 60)}`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)}\u202fh ${two(Math.floor((seconds % 3600) / 60))}`;
  return `${Math.floor(seconds / 86400)}\u202fd ${Math.floor((seconds % 86400) / 3600)}\u202fh`;
}

/** A delay in milliseconds. */
export const delay = (ms) =>
  ms === null ? "–" : ms < 1000 ? `${ms}\u202fms` : `${(ms / 1000).toFixed(1)}\u202fs`;

/** Frames per second. */
export const frames = (rate) => (rate > 0 ? (rate >= 99.95 ? rate.toFixed(0) : rate.toFixed(1)) : "–");

/** A time of the day. */
export const clock = (ms) => new Date(ms).toLocaleTimeString([], { hour12: false });

/** A date with time. */
export const moment = (iso) => {
  const date = new Date(iso);
  return Number.isNaN(date.getTime()) ? "–" : date.toLocaleString([], { dateStyle: "medium", timeStyle: "medium", hour12: false });
};

/** Codec and properties of video. */
export function video(video) {
  if (!video) return "";
  const level = video.level && video.level !== "0.0" ? ` ${video.level}` : "";
  return [`${video.codec}`, `${video.profile}${level}`.trim()].filter(Boolean).join(" ");
}

/** Codec and properties of audio. */
export function audio(audio) {
  if (!audio) return "";
  const hertz = audio.sample_rate > 0 ? `${audio.sample_rate / 1000}\u202fkHz` : "";
  const channels = { 1: "mono", 2: "stereo" }[audio.channels] ?? (audio.channels > 0 ? `${audio.channels} ch` : "");
  return [`${audio.codec} ${audio.profile}`.trim(), hertz, channels].filter(Boolean).join(" ");
}
