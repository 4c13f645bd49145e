/** Whether this machine holds its processes up, as a process notices that has little to do itself. */

const TICK_MS = 50;
/** More than a limit of processor time (cgroup `cpu.max`, by 100 ms) that a busy release has used up, and brings upon all beside it. */
const STALL_MS = 250;

export interface StallWatch {
  /** Whether there was a stall since this was asked last. */
  hasStalled(): boolean;
  end(): void;
}

/** Watches from now on, and keeps the process from nothing. */
export function watchStalls(): StallWatch {
  let seenAtMs = performance.now();
  let isStalled = false;
  const look = (): void => {
    const nowMs = performance.now();
    if (nowMs - seenAtMs >= TICK_MS + STALL_MS) isStalled = true;
    seenAtMs = nowMs;
  };
  const timer = setInterval(look, TICK_MS).unref();
  return {
    hasStalled() {
      look();
      const was = isStalled;
      isStalled = false;
      return was;
    },
    end: () => clearInterval(timer),
  };
}
