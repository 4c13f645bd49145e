/**
 * The lines of an audit log: each has the hash of the one before, so that nothing in between can be changed, taken out or put in
 * without all that follows being written anew. Pure.
 *
 * A line is a JSON object whose last member is `hash`: the hex sha256 of the line without that member. `previous` is the hash
 * of the line before, zeros in the first. Half a line, which a crash has left, is followed by one that says how long it was.
 */

import { createHash } from 'node:crypto';

export interface Actor {
  /** `client`: over the control socket. `signal`: SIGHUP. `start`: of the app. `command`: a verb that needs nobody to run. `supervisor`: by itself. */
  readonly by: 'client' | 'signal' | 'start' | 'command' | 'supervisor';
  readonly uid: number | null;
  readonly user: string | null;
  readonly pid: number | null;
}

export interface AuditEntry {
  /** `deploy`, `rollback`, `trust add`, … */
  readonly action: string;
  readonly actor: Actor;
  readonly release?: string | null;
  /** Hex sha256 of the release's manifest. */
  readonly digest?: string | null;
  readonly result: string;
  readonly detail?: string;
  /** Ids of the trusted keys that have signed. */
  readonly signers?: readonly string[];
  /** Of the statement that was accepted. */
  readonly counter?: number;
}

export interface AuditLine extends AuditEntry {
  readonly line: number;
  /** ISO 8601, UTC. */
  readonly at: string;
  readonly previous: string;
  readonly hash: string;
}

export interface AuditProblem {
  readonly line: number;
  readonly problem: string;
}

export interface AuditReport {
  readonly lines: readonly AuditLine[];
  /** Where the chain breaks; null where it holds. */
  readonly broken: AuditProblem | null;
  /** Halves of lines that crashes have left; they break nothing. */
  readonly torn: readonly AuditProblem[];
}

export const NO_HASH = '0'.repeat(64);

/** Where a log ends, and so what the next line follows. */
export interface AuditEnd {
  /** How many lines there are, halves included. */
  readonly lineCount: number;
  readonly hash: string;
}

/** The text of the next line, without its end. */
export function toAuditText(entry: AuditEntry, { lineCount, hash }: AuditEnd, at: Date): string {
  const line = lineCount + 1;
  const text = JSON.stringify({ line, at: at.toISOString(), ...entry, previous: hash });
  return `${text.slice(0, -1)},"hash":"${digest(text)}"}`;
}

/** What follows half a line. */
export function toTornEntry(half: string, actor: Actor): AuditEntry {
  return { action: 'torn', actor, result: 'noted', detail: toTornDetail(half) };
}

/** Checks a whole log. */
export function verifyAudit(text: string): AuditReport {
  const texts = text.split('\n');
  const rest = texts.pop() ?? '';
  if (rest !== '') texts.push(rest);
  const lines: AuditLine[] = [];
  const torn: AuditProblem[] = [];
  const breaks = (line: number, problem: string): AuditReport => ({ lines, torn, broken: { line, problem } });
  let previous = NO_HASH;
  for (const [index, each] of texts.entries()) {
    const number = index + 1;
    const line = parseAuditLine(each);
    if (line === null) {
      const isLast = rest !== '' && number === texts.length;
      // Nobody has written since the crash.
      if (!isLast && !isTorn(each, texts[index + 1]))
        return breaks(number, 'a line that was never written so');
      torn.push({ line: number, problem: `half a line, ${toTornDetail(each)}` });
      continue;
    }
    if (line.line !== number) return breaks(number, `the number ${line.line} where ${number} belongs`);
    if (line.previous !== previous) return breaks(number, 'a line that does not follow the one before');
    previous = line.hash;
    lines.push(line);
  }
  return { lines, torn, broken: null };
}

/** Null for what is no line, or has another hash than it says. */
export function parseAuditLine(text: string): AuditLine | null {
  const [, own = ''] = /,"hash":"([0-9a-f]{64})"\}$/.exec(text) ?? [];
  if (own === '' || digest(`${text.slice(0, -`,"hash":"${own}"}`.length)}}`) !== own) return null;
  return JSON.parse(text) as AuditLine;
}

/** Half a line is what the one that follows says it is. */
function isTorn(text: string, next = ''): boolean {
  const line = parseAuditLine(next);
  return line?.action === 'torn' && line.detail === toTornDetail(text);
}

function toTornDetail(half: string): string {
  return `${Buffer.byteLength(half)} bytes, sha256 ${digest(half)}`;
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
