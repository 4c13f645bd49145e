/**
 * Where compiled code is in its sources. Node reads no source maps for `vm.compileFunction`, so each compiled module is noted
 * here with where its map is; a map is read when the first position in it is asked for.
 *
 * 1. Nothing here keeps a module version: what is noted of one goes when its compiled code is collected.
 * 2. A position is found by what V8 says of the very text that it compiled, as one file may have been compiled in several versions.
 */

import { createHash } from 'node:crypto';
import { SourceMap, type SourceMapPayload } from 'node:module';
import type { SourcePlace } from './own-source-map.ts';
import { mapStackTraces } from './stack-traces.ts';

/** What V8 is to compile. */
export interface Script {
  readonly code: string;
  /** The source file. */
  readonly filename: string;
  readonly map: MapLocation | null;
  /** How far the lines are from where they stand in `code`. */
  readonly lineOffset?: number;
}

/** Where the source map of a module is. */
export interface MapLocation {
  /** For debuggers. */
  readonly url: string;
  /** It must refer to no module version: it is kept for as long as the compiled code. */
  readonly read: () => string;
}

interface Version {
  readonly map: MapLocation;
  /** How many compilations of the same text there are. */
  count: number;
}

interface Noted {
  readonly filename: string;
  readonly textHash: string;
}

/** Parsed maps, of the modules that were last seen in traces. */
const PARSED_COUNT_MAX = 64;

const versions = new Map<string, Map<string, Version>>();
const parsed = new Map<MapLocation, SourceMap | null>();
const collected = new FinalizationRegistry<Noted>(forget);

/** The text to compile: a debugger finds the map by it. A source that names a map of its own keeps that. */
export function toText({ code, map }: Script): string {
  if (map === null || code.includes('# sourceMappingURL=')) return code;
  return `${code}\n//# sourceMappingURL=${map.url}`;
}

/** Lets positions in a script be found, for as long as `compiled` is there. */
export function mapPositions(compiled: object, script: Script): void {
  const { filename, map } = script;
  if (map === null) return;
  mapStackTraces(findSourcePlace);
  const noted = { filename, textHash: createHash('sha256').update(toText(script)).digest('hex') };
  const ofFile = versions.get(filename) ?? new Map<string, Version>();
  versions.set(filename, ofFile);
  const version = ofFile.get(noted.textHash) ?? { map, count: 0 };
  version.count += 1;
  ofFile.set(noted.textHash, version);
  collected.register(compiled, noted);
}

function forget({ filename, textHash }: Noted): void {
  const ofFile = versions.get(filename);
  const version = ofFile?.get(textHash);
  if (ofFile === undefined || version === undefined) return;
  version.count -= 1;
  if (version.count > 0) return;
  ofFile.delete(textHash);
  parsed.delete(version.map);
  if (ofFile.size === 0) versions.delete(filename);
}

/** The place of a frame in its source; null for code that has none, or is not the app's. */
function findSourcePlace(site: NodeJS.CallSite): SourcePlace | null {
  const filename = site.getFileName() ?? '';
  const ofFile = versions.get(filename);
  const version = ofFile?.get(site.getScriptHash());
  const [line, column] = [site.getLineNumber(), site.getColumnNumber()];
  if (version === undefined || line === null || column === null) return null;
  const entry = toParsed(version.map)?.findEntry(line - 1, column - 1);
  // What the transform has put before all other code of a line is in no source; its line is right.
  if (entry === undefined || !('originalLine' in entry) || entry.generatedLine !== line - 1) return null;
  return { filename, line: entry.originalLine + 1, column: entry.originalColumn + 1 };
}

function toParsed(location: MapLocation): SourceMap | null {
  const known = parsed.get(location);
  if (known !== undefined) return known;
  const map = parseMap(location);
  const [oldest] = parsed.keys();
  if (oldest !== undefined && parsed.size >= PARSED_COUNT_MAX) parsed.delete(oldest);
  parsed.set(location, map);
  return map;
}

function parseMap({ read }: MapLocation): SourceMap | null {
  try {
    return new SourceMap(JSON.parse(read()) as SourceMapPayload);
  } catch {
    // A trace must not fail where its map is gone: it has the compiled columns then.
    return null;
  }
}
