/**
 * When WebSockets that have arrived begin to read. Those that left together begin together, so that what one of them says reaches
 * all; the last one that was announced lets them, or a second in which none came.
 */

/** How long a group that is not whole waits for the next: several hundred arrive in a second. */
const QUIET_MS = 1_000;

interface Group {
  readonly waiting: (() => void)[];
  readonly timer: NodeJS.Timeout;
}

export class Arrivals {
  readonly #groups = new Map<string, Group>();

  /** Calls `begin` when the whole group is here; at once for one without. */
  add(group: { readonly id: string; readonly followedBy: number } | null, begin: () => void): void {
    if (group === null) {
      begin();
      return;
    }
    const { waiting, timer } = this.#open(group.id);
    waiting.push(begin);
    timer.refresh();
    if (group.followedBy === 0) this.#close(group.id);
  }

  #open(id: string): Group {
    let group = this.#groups.get(id);
    if (group === undefined) {
      group = { waiting: [], timer: setTimeout(() => this.#close(id), QUIET_MS) };
      this.#groups.set(id, group);
    }
    return group;
  }

  #close(id: string): void {
    const group = this.#groups.get(id);
    this.#groups.delete(id);
    clearTimeout(group?.timer);
    for (const begin of group?.waiting ?? []) begin();
  }
}
