/** The record as a supervisor opens it: one that is damaged is moved aside, and another begun from what is on disk. */

import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { MidflightError } from '../errors.ts';
import { parseManifest } from '../protocol/manifest.ts';
import { toReleaseLocation, type Home } from '../release/home.ts';
import { openHistory, type History } from './history.ts';

/** Opens the record, and notes there and by `log` where it had to begin anew.
 *  Errors: those of `openHistory` but ERR_MIDFLIGHT_RECORD_CORRUPT. */
export function openRecord(home: Home, log: (message: string) => void): History {
  try {
    return openWhole(home.database);
  } catch (error) {
    if (!(error instanceof MidflightError) || error.code !== 'ERR_MIDFLIGHT_RECORD_CORRUPT') throw error;
    const aside = moveAside(home.database);
    const history = openHistory(home.database);
    const message = `the record was damaged (${error.details[1]}) and is kept as ${path.basename(aside)}; a new one has begun: ${takeUp(home, history)}. History, scale and what could not be swapped are lost`;
    history.notify(message);
    log(message);
    return history;
  }
}

/** Also what is damaged further inside would be found only when it is read. */
function openWhole(file: string): History {
  const history = openHistory(file);
  try {
    history.check();
    return history;
  } catch (error) {
    history.close();
    throw error;
  }
}

function moveAside(file: string): string {
  const aside = `${file}.damaged-${new Date().toISOString().replaceAll(/[-:.]/g, '')}`;
  for (const suffix of ['', '-wal', '-shm'])
    if (existsSync(file + suffix)) renameSync(file + suffix, aside + suffix);
  return aside;
}

/** Says which release is taken to be current, and why. */
function takeUp(home: Home, history: History): string {
  const noted = readProved(home);
  const whole = wholeReleases(home);
  const newest = whole.at(-1) ?? null;
  const taken = noted !== null && whole.includes(noted) ? noted : newest;
  if (taken === null) return 'there is no release on disk, so one is made of the source';
  history.setCurrent(taken);
  history.setProved(taken);
  return taken === noted
    ? `release ${taken} is taken to be current, the last one that was noted as proved in .midflight/${path.basename(home.provedFile)}`
    : `release ${taken} is taken to be current, the newest of those on disk, since no other is noted as proved`;
}

function wholeReleases(home: Home): readonly string[] {
  const names = existsSync(home.releases) ? readdirSync(home.releases) : [];
  return names.filter((name) => !name.startsWith('.') && isReadable(home, name)).toSorted();
}

function isReadable(home: Home, id: string): boolean {
  try {
    return parseManifest(readFileSync(toReleaseLocation(home, id).manifestFile, 'utf8')).id === id;
  } catch {
    // Not to be run, whatever is wrong with it.
    return false;
  }
}

/** The last release that passed, beside the record: what is known of it where that is damaged. */
export function noteProved(home: Home, release: string): void {
  if (readProved(home) === release) return;
  const staging = `${home.provedFile}.tmp`;
  try {
    writeFileSync(staging, `${release}\n`);
    renameSync(staging, home.provedFile);
  } catch {
    // A full disk: the record itself has it, so nothing depends on this.
  }
}

function readProved(home: Home): string | null {
  try {
    return readFileSync(home.provedFile, 'utf8').trim();
  } catch {
    // None has passed yet.
    return null;
  }
}
