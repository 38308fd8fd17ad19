// What the events have told so far.

const KEPT = 90;
/** Events over which the distance of key frames is measured. */
const SPAN = 30;

export class Model {
  constructor() {
    this.now = null;
    this.streams = new Map();
    this.out = [];
    this.in = [];
  }

  take(document) {
    this.now = document;
    keep(this.in, document.totals.bw_in);
    keep(this.out, document.totals.bw_out);
    const seen = new Set();
    for (const stream of document.streams) {
      const key = keyOf(stream);
      seen.add(key);
      let past = this.streams.get(key);
      if (!past) this.streams.set(key, (past = { rate: [], frames: [], counts: [] }));
      keep(past.rate, stream.bw_in);
      keep(past.frames, stream.frame_rate);
      const last = past.counts.at(-1);
      // Another publisher may have begun to count again.
      if (last && last.frames > stream.frames) past.counts.length = 0;
      past.counts.push({ frames: stream.frames, keys: stream.key_frames });
      if (past.counts.length > SPAN) past.counts.shift();
    }
    for (const key of this.streams.keys()) if (!seen.has(key)) this.streams.delete(key);
  }

  past(stream) {
    return this.streams.get(keyOf(stream)) ?? { rate: [], frames: [], counts: [] };
  }

  /** Seconds between key frames; `null` if unknown. */
  keyDistance(stream) {
    if (!(stream.frame_rate > 0) || stream.key_frames === 0) return null;
    const { counts } = this.past(stream);
    const [first, last] = [counts[0], counts.at(-1)];
    const keys = first ? last.keys - first.keys : 0;
    const perKey = keys >= 3 ? (last.frames - first.frames) / keys : stream.frames / stream.key_frames;
    return perKey / stream.frame_rate;
  }
}

/** Identity of a stream. */
export const keyOf = (stream) => stream.query || `${stream.srv}\n${stream.app}\n${stream.name}`;

function keep(values, value) {
  values.push(value);
  if (values.length > KEPT) values.shift();
}
