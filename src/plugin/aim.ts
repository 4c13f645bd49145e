/** At which version all that was looked up of one plugin is aimed, or why calls fail or wait. */

import type { RunningVersion } from './running-version.ts';
import type { Slot } from './slot.ts';

export class Aim {
  readonly #slots: () => Iterable<Slot>;
  #version: RunningVersion | null = null;
  #stop: (() => Error) | null = null;
  /** Opens when calls go on that are held back. */
  #gate: PromiseWithResolvers<void> | null = null;

  /** `slots` gives all that there are. */
  constructor(slots: () => Iterable<Slot>) {
    this.#slots = slots;
  }

  get isHeld(): boolean {
    return this.#gate !== null;
  }

  /** Errors: ERR_MIDFLIGHT_PLUGIN_MISMATCH. */
  check(version: RunningVersion): void {
    for (const slot of this.#slots()) slot.check(version);
  }

  /** From now on that version is called, also by calls that were held back. */
  point(version: RunningVersion): void {
    this.#version = version;
    this.#stop = null;
    for (const slot of this.#slots()) slot.point(version);
    this.#open();
  }

  /** The same for a version that may lack what was looked up since: calls of that fail. */
  pointWhereFit(version: RunningVersion): void {
    this.point(version);
    for (const slot of this.#slots()) stopUnlessFit(slot, version);
  }

  /** From now on every call throws that, until the next version. */
  stop(error: () => Error): void {
    this.#stop = error;
    for (const slot of this.#slots()) slot.stop(error);
  }

  /** From now on every call waits, for `point` or `resume`. */
  hold(): void {
    this.#gate ??= Promise.withResolvers<void>();
    for (const slot of this.#slots()) slot.hold(this.#gate.promise);
  }

  /** As it was before `hold`. */
  resume(): void {
    const gate = this.#gate;
    this.#gate = null;
    for (const slot of this.#slots()) this.add(slot);
    gate?.resolve();
  }

  /** One that has just been looked up. */
  add(slot: Slot): void {
    if (this.#version !== null) slot.point(this.#version);
    if (this.#stop !== null) slot.stop(this.#stop);
    if (this.#gate !== null) slot.hold(this.#gate.promise);
  }

  #open(): void {
    this.#gate?.resolve();
    this.#gate = null;
  }
}

function stopUnlessFit(slot: Slot, version: RunningVersion): void {
  try {
    slot.check(version);
  } catch (error) {
    slot.stop(() => error as Error);
  }
}
