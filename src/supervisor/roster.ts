/**
 * The roster: which crew serves, which is proved, which is to follow, and who leaves. Owns all of these, and is the only
 * writer of the notebook.
 *
 * 1. `current` changes only by `makeCurrent`: at the first start, at the commit of a swap or handoff, and when going back.
 * 2. The processes of `proved` are not ended before `current` has passed probation.
 * 3. What changes outside has been noted before, so that another supervisor can go on from there.
 */

import { MidflightError } from '../errors.ts';
import { toCrew, type Crew, type CrewLoss, type Member } from './crew.ts';
import { createLeaving, type Leaving } from './leaving.ts';
import { toCrewNote, toMemberNote, type Notebook, type Phase } from './notebook.ts';
import type { RunnableRelease } from './process-host.ts';
import type { Recovered } from './recovery.ts';
import type { Succession } from './state-handover.ts';
import type { WorkersEnv } from './workers-env.ts';

export interface RosterOptions {
  readonly env: Pick<WorkersEnv, 'note' | 'date' | 'log'>;
  /** A worker had crashed before its crew was current. */
  onLoss(crew: Crew, loss: CrewLoss): void;
}

/** Makes the roster; nobody is on it yet. */
export function createRoster(options: RosterOptions): Roster {
  return new Roster(options);
}

export class Roster {
  readonly leaving: Leaving;
  readonly #options: RosterOptions;
  #current: Crew | null = null;
  #proved: Crew | null = null;
  #next: { readonly crew: Crew; phase: Phase } | null = null;
  #hiring: Crew | null = null;
  #successions: readonly Succession[] = [];
  #generationCount = 0;
  #scaledTo: number | null = null;
  #isStopping = false;

  constructor(options: RosterOptions) {
    this.#options = options;
    this.leaving = createLeaving({
      date: () => options.env.date(),
      log: (message) => options.env.log(message),
      onChange: () => this.note(),
    });
  }

  get current(): Crew | null {
    return this.#current;
  }

  get proved(): Crew | null {
    return this.#proved;
  }

  /** Whose missing workers are started: `current`, or what is about to be; nobody's while processes leave one crew for another. */
  get hiring(): Crew | null {
    return this.#hiring;
  }

  /** What is to follow `current`. */
  get next(): Crew | null {
    return this.#next?.crew ?? null;
  }

  /** Of the last handoff. */
  get successions(): readonly Succession[] {
    return this.#successions;
  }

  /** How many workers the operator wants; null for as many as the release asks for. */
  get scaledTo(): number | null {
    return this.#scaledTo;
  }

  get isStopping(): boolean {
    return this.#isStopping;
  }

  /** Neither on the way to another crew, nor in probation, nor stopping. */
  get isSettled(): boolean {
    return this.#next === null && !this.#isStopping && this.#current === this.#proved;
  }

  /** Errors: ERR_MIDFLIGHT_INVALID_STATE before the first start. */
  requireCurrent(): Crew {
    if (this.#current === null)
      throw new MidflightError('ERR_MIDFLIGHT_INVALID_STATE', ['No release runs yet']);
    return this.#current;
  }

  /** Errors: ERR_MIDFLIGHT_STOPPING. */
  requireRunning(): void {
    if (this.#isStopping) throw new MidflightError('ERR_MIDFLIGHT_STOPPING', []);
  }

  /** Of the crew that is to follow: nobody has reached them yet. */
  unready(): readonly Member[] {
    return this.#next === null || this.#next.phase === 'committing' ? [] : [...this.#next.crew.members];
  }

  everybody(): Set<Member> {
    const crews = [this.#current, this.#proved, this.#next?.crew];
    return new Set([...crews.flatMap((crew) => [...(crew?.members ?? [])]), ...this.leaving.members.keys()]);
  }

  /** The crew that is to follow, without members yet. */
  nextCrew(release: RunnableRelease): Crew {
    const crew = toCrew(release, ++this.#generationCount, this.#scaledTo);
    this.#next = { crew, phase: 'preparing' };
    this.note();
    return crew;
  }

  setPhase(phase: Phase): void {
    if (this.#next !== null) this.#next.phase = phase;
    this.note();
  }

  setSuccessions(successions: readonly Succession[]): void {
    this.#successions = successions;
  }

  forgetNext(): void {
    this.#next = null;
    this.note();
  }

  /** What happened to its workers between their commit and this moment happened to what is current now. `leaver`: who gives place, is
   *  not proved, and has connections until `leave`. */
  makeCurrent(crew: Crew, leaver: Crew | null = null): void {
    this.#current = this.#hiring = crew;
    // To a supervisor that comes after this it is one that serves, and is to leave.
    this.#next = leaver && { crew: leaver, phase: 'committing' };
    this.note();
    for (const loss of crew.lost.splice(0)) this.#options.onLoss(crew, loss);
  }

  /** For good. */
  leave(crew: Crew): void {
    this.leaving.leave(crew);
    if (this.#next?.crew === crew) this.forgetNext();
  }

  /** Until another crew is made current. */
  hireFor(crew: Crew | null): void {
    this.#hiring = crew;
  }

  /** `current` has passed. Returns what was proved before. */
  proveCurrent(): Crew | null {
    const before = this.#proved;
    this.#proved = this.requireCurrent();
    this.note();
    return before;
  }

  /** The first crew has nobody to go back to. */
  makeFirst(crew: Crew): void {
    this.#proved = crew;
    this.makeCurrent(crew);
  }

  scaleTo(count: number | null): void {
    this.#scaledTo = count;
  }

  /** The next generation is a higher one than this. */
  countFrom(generation: number): void {
    this.#generationCount = Math.max(this.#generationCount, generation);
  }

  /** Nobody comes back any more. */
  stop(): void {
    this.#isStopping = true;
    this.note();
  }

  /** Goes on with the counts of another supervisor. */
  resume({ generationCount, isStopping }: Notebook): void {
    this.#generationCount = generationCount;
    this.#isStopping = isStopping;
  }

  /** The crews that it has left. */
  recall({ proved, current, successions }: Recovered): void {
    this.#successions = successions;
    this.#proved = proved ?? current;
    this.#current = this.#hiring = current ?? proved;
    this.note();
  }

  note(): void {
    const next = this.#next;
    this.#options.env.note({
      generationCount: this.#generationCount,
      proved: this.#proved && toCrewNote(this.#proved),
      current: this.#current && toCrewNote(this.#current),
      next: next && { ...toCrewNote(next.crew), phase: next.phase },
      successions: this.#successions.map(({ from, to }) => ({ from: from.worker.id, to: to.worker.id })),
      leaving: [...this.leaving.members].map(([member, deadlineAt]) => ({
        ...toMemberNote(member),
        deadlineAt,
      })),
      isStopping: this.#isStopping,
    });
  }
}
