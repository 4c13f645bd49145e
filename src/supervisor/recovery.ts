/**
 * Goes on where a supervisor was killed: finds its workers again by what it has noted, and drops what was under way.
 *
 *   noted                        | processes
 *   proved, current              | are members again; those that never committed are killed
 *   next, preparing              | are killed; what members have prepared is aborted
 *   next, passing                | are killed; those that serve accept again, with their states as they were
 *   next, committing             | may have accepted: they stop that, drain and end
 *   leaving                      | end by the deadline that they were given
 *   not noted                    | were just started: they are killed
 *
 * A program that is not Node accepts as soon as it runs, so it is always asked to end instead.
 */

import type { WorkerEvent, WorkerStatus } from '../protocol/messages.ts';
import { abortAll, joinCrew, pauseAll, resumeAll, toCrew, type Crew, type Member } from './crew.ts';
import type { Leaving } from './leaving.ts';
import type { CrewNote, MemberNote, Notebook } from './notebook.ts';
import type { RunnableRelease } from './process-host.ts';
import type { Succession } from './state-handover.ts';
import { askWithin, type Worker } from './worker.ts';
import type { WorkersEnv } from './workers-env.ts';

/** A program that nobody has noted has just begun. */
const UNKNOWN_TIMEOUT_MS = 5_000;
/** One that does not answer by then is busy, and is taken for what it was. */
const STATUS_TIMEOUT_MS = 2_000;

export interface RecoveryOptions {
  readonly env: WorkersEnv;
  readonly notebook: Notebook;
  readonly leaving: Leaving;
  readonly scaledTo: number | null;
  /** Null where it can't be read. */
  readRelease(id: string): Promise<RunnableRelease | null>;
  onEvent(worker: Worker, event: WorkerEvent): void;
  onExit(member: Member): void;
}

export interface Recovered {
  readonly proved: Crew | null;
  readonly current: Crew | null;
  readonly successions: readonly Succession[];
  /** What was under way, in words; null where nothing was. */
  readonly dropped: string | null;
}

/** Afterwards nothing is left but members of these crews, and those who leave. */
export async function recoverCrews(options: RecoveryOptions): Promise<Recovered> {
  const { env, notebook, leaving } = options;
  const unknown = new Map(env.inherited().map((each) => [each.process, each]));
  const recallKnown = async (note: CrewNote | null): Promise<Crew | null> => {
    for (const { process } of note?.members ?? []) unknown.delete(process);
    return recall(options, note);
  };
  const proved = await recallKnown(notebook.proved);
  const isSame = notebook.current?.generation === notebook.proved?.generation;
  const current = isSame ? proved : await recallKnown(notebook.current);
  if (notebook.next !== null) {
    const members = [...(proved?.members ?? []), ...(current?.members ?? [])];
    await abortAll(members, notebook.next);
    if (notebook.next.phase === 'committing') await dropCommitting(await recallKnown(notebook.next), leaving);
    if (notebook.next.phase !== 'preparing') await resumeAll(members);
  }
  for (const note of notebook.leaving) {
    unknown.delete(note.process);
    const member = adopt(options, note, null);
    if (member !== null) leaving.end(member, Math.max(0, note.deadlineAt - env.date()));
  }
  for (const note of unknown.values()) endUnknown(options, note);
  return {
    proved,
    current,
    successions: toSuccessions(notebook, [...(proved?.members ?? []), ...(current?.members ?? [])]),
    dropped: describeDropped(notebook),
  };
}

/** The members of a crew that are still there, and have committed. */
async function recall(options: RecoveryOptions, note: CrewNote | null): Promise<Crew | null> {
  const release = note && (await options.readRelease(note.release));
  if (note === null || release === null) return null;
  const crew = toCrew(release, note.generation, options.scaledTo);
  await Promise.all(
    note.members.map(async (each) => {
      const member = adopt(options, each, release, note.generation);
      if (member === null) return;
      const isMember = await hasCommitted(member);
      if (member.worker.hasExited()) return;
      if (isMember) joinCrew(member, crew);
      else member.worker.kill('SIGKILL');
    }),
  );
  return crew;
}

function adopt(
  { env, onEvent, onExit }: RecoveryOptions,
  note: MemberNote,
  release: RunnableRelease | null,
  startedAs = 0,
): Member | null {
  const worker = env.adopt({ note, release, onEvent });
  if (worker === null) return null;
  const root = release?.location.root ?? '';
  const member: Member = { root, worker, state: 'serving', startedAtMs: env.now(), startedAs, crew: null };
  void worker.exited.then(() => onExit(member));
  return member;
}

async function hasCommitted({ worker }: Member): Promise<boolean> {
  try {
    const status = (await askWithin(worker, { type: 'status' }, STATUS_TIMEOUT_MS)) as WorkerStatus | null;
    return status === null || status.generation > 0;
  } catch {
    return !worker.hasExited();
  }
}

async function dropCommitting(crew: Crew | null, leaving: Leaving): Promise<void> {
  if (crew === null) return;
  await pauseAll(crew.members);
  leaving.leave(crew);
}

function endUnknown(options: RecoveryOptions, note: MemberNote): void {
  const member = adopt(options, note, null);
  if (note.protocol !== null) member?.worker.kill('SIGKILL');
  else if (member !== null) options.leaving.end(member, UNKNOWN_TIMEOUT_MS);
}

function toSuccessions({ successions }: Notebook, members: readonly Member[]): Succession[] {
  const find = (process: number): Member | undefined => members.find(({ worker }) => worker.id === process);
  return successions.flatMap((each) => {
    const [from, to] = [find(each.from), find(each.to)];
    return from === undefined || to === undefined ? [] : [{ from, to }];
  });
}

function describeDropped({ next, current, proved }: Notebook): string | null {
  if (next !== null) {
    const what = next.phase === 'committing' ? 'was about to serve' : 'was being prepared';
    return `release ${next.release} ${what}, as generation ${next.generation}`;
  }
  if (current?.generation === proved?.generation) return null;
  return `release ${current?.release} was in probation, as generation ${current?.generation}`;
}
