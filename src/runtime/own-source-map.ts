/**
 * The source maps that an app's own build has made, as of TypeScript that was compiled by `tsc`. Node shows traces by them when it
 * is asked to (`--enable-source-maps`), but only for what its own loader has loaded.
 */

import { readFileSync } from 'node:fs';
import { SourceMap, type SourceMapPayload } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';

export interface SourcePlace {
  readonly filename: string;
  /** From 1, as the column. */
  readonly line: number;
  readonly column: number;
}

interface OwnMap {
  readonly url: string;
  readonly map: SourceMap;
  readonly sourceRoot: string;
}

/** Maps of the files that were last seen in traces. */
const KNOWN_COUNT_MAX = 64;
const known = new Map<string, OwnMap | null>();

/** Where a place in a built file was before that was built; null where the file names no map. */
export function findOriginal({ filename, line, column }: SourcePlace): SourcePlace | null {
  const own = toOwnMap(filename);
  const entry = own?.map.findEntry(line - 1, column - 1);
  if (own === null || entry === undefined || !('originalSource' in entry)) return null;
  const { originalSource, originalLine, originalColumn } = entry;
  if (originalSource === undefined) return null;
  const url = new URL(own.sourceRoot + originalSource, own.url).href;
  const original = url.startsWith('file:') ? fileURLToPath(url) : url;
  return { filename: original, line: originalLine + 1, column: originalColumn + 1 };
}

function toOwnMap(filename: string): OwnMap | null {
  const found = known.get(filename);
  if (found !== undefined) return found;
  const own = readOwnMap(filename);
  const [oldest] = known.keys();
  if (oldest !== undefined && known.size >= KNOWN_COUNT_MAX) known.delete(oldest);
  known.set(filename, own);
  return own;
}

function readOwnMap(filename: string): OwnMap | null {
  try {
    const text = readFileSync(filename, 'utf8');
    const name = [...text.matchAll(/\/[/*]# sourceMappingURL=(\S+)/g)].at(-1)?.[1];
    if (name === undefined) return null;
    const fileUrl = pathToFileURL(filename).href;
    const url = new URL(name, fileUrl);
    const payload = JSON.parse(readMapText(url)) as SourceMapPayload;
    const isInline = url.protocol === 'data:';
    return {
      url: isInline ? fileUrl : url.href,
      map: new SourceMap(payload),
      sourceRoot: payload.sourceRoot ?? '',
    };
  } catch {
    // Nothing that can be read: the trace is in the built file then, as Node has it.
    return null;
  }
}

function readMapText(url: URL): string {
  if (url.protocol !== 'data:') return readFileSync(url, 'utf8');
  const [type = '', data = ''] = url.pathname.split(',', 2);
  return type.endsWith(';base64') ? Buffer.from(data, 'base64').toString() : decodeURIComponent(data);
}
