/** Whether a thread has used more than its share of a processor, over the last seconds. */

const WINDOW_MS = 5_000;
/** A stall of the host looks like a rest of the thread, so few samples tell nothing. */
const SAMPLE_INTERVAL_MS = 100;

export interface CpuSample {
  readonly atMs: number;
  /** All that it has used so far. */
  readonly cpuMs: number;
}

export class CpuWindow {
  readonly #share: number;
  readonly #samples: CpuSample[] = [];

  constructor(share: number) {
    this.#share = share;
  }

  /** Null, or what was too much, in words; nothing is judged before a whole window has passed. */
  add(sample: CpuSample): string | null {
    const samples = this.#samples;
    const last = samples.at(-1);
    if (last !== undefined && sample.atMs - last.atMs < SAMPLE_INTERVAL_MS) return null;
    samples.push(sample);
    // The oldest one is the last that lies outside of the window.
    while (samples[1] !== undefined && sample.atMs - samples[1].atMs >= WINDOW_MS) samples.shift();
    const [oldest] = samples;
    if (oldest === undefined || sample.atMs - oldest.atMs < WINDOW_MS) return null;
    const used = (sample.cpuMs - oldest.cpuMs) / (sample.atMs - oldest.atMs);
    if (used <= this.#share) return null;
    return `it has used ${used.toFixed(2)} of a processor over ${WINDOW_MS / 1_000} s, and limits.cpuShare is ${this.#share}`;
  }
}
