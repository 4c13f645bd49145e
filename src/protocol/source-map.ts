/**
 * Source maps of compiled modules: ECMA-426, one source each. In the store a map says nothing of where a release is: its source
 * is relative to the release's link to the store, `maps`, so that one file serves all releases.
 */

import { pathToFileURL } from 'node:url';

export interface SourceMapText {
  readonly version: 3;
  readonly sourceRoot?: string;
  readonly sources: readonly string[];
  readonly names: readonly string[];
  readonly mappings: string;
}

/** The link in a release's folder that leads to the store. */
export const MAPS_LINK = 'maps';

/** The app's tree as seen from that link. */
const STORED_SOURCE_ROOT = '../app/';

/** The name of a map in the store. */
export function toMapName(mapHash: string): string {
  return `${mapHash}.js.map`;
}

/** What is added at the end of a map. */
const STORED_END = `,"sourceRoot":${JSON.stringify(STORED_SOURCE_ROOT)}}`;

/** The text of a map for the store. */
export function toStoredMap(map: string): string {
  return map.slice(0, -1) + STORED_END;
}

/** The map that a text of the store was made of. */
export function fromStoredMap(stored: string): string {
  return `${stored.slice(0, -STORED_END.length)}}`;
}

/** A map as a URL that needs no file; `filename` is its source. */
export function toInlineMap(map: string, filename: string): string {
  const text = { ...(JSON.parse(map) as SourceMapText), sources: [pathToFileURL(filename).href] };
  return `data:application/json;base64,${Buffer.from(JSON.stringify(text)).toString('base64')}`;
}
