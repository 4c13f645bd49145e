/**
 * Stack traces in the positions of the sources: of `error.stack`, and of the call sites that an `Error.prepareStackTrace` of the
 * app or a package gets. Nothing is done before a trace is formatted, and to one that has no mapped frame nothing at all.
 *
 * `Error.prepareStackTrace` becomes an accessor. It gives back what was set, but to Node, which asks for it when it formats:
 * that gets a function that maps the call sites first.
 */

import { getCallSites } from 'node:util';
import { findOriginal, type SourcePlace } from './own-source-map.ts';

type Prepare = (error: Error, sites: NodeJS.CallSite[]) => unknown;
type Find = (site: NodeJS.CallSite) => SourcePlace | null;

let restore: (() => void) | null = null;

/** Maps the traces of this process from now on. */
export function mapStackTraces(find: Find): void {
  const nodes = Object.getOwnPropertyDescriptor(Error, 'prepareStackTrace');
  if (restore !== null || nodes?.configurable !== true || typeof nodes.value !== 'function') return;
  const initial = nodes.value as Prepare;
  const mapped = withMapping(initial, (site) => toShown(find(site)));
  let chosen: unknown = initial;
  const get = (): unknown => {
    if (chosen === initial) return mapped;
    if (!isAskedByNode()) return chosen;
    return typeof chosen === 'function' ? withMapping(chosen as Prepare, find) : mapped;
  };
  Object.defineProperty(Error, 'prepareStackTrace', {
    configurable: true,
    enumerable: false,
    get,
    set(this: object, value: unknown) {
      if (this === Error) chosen = value === mapped ? initial : value;
      else defineOwn(this, value);
    },
  });
  restore = () => {
    restore = null;
    const { get: current } = Object.getOwnPropertyDescriptor(Error, 'prepareStackTrace') ?? {};
    if (current === get) Object.defineProperty(Error, 'prepareStackTrace', { ...nodes, value: chosen });
  };
}

/** Leaves traces to Node again. */
export function unmapStackTraces(): void {
  restore?.();
}

/** A class that extends Error was set: the property becomes its own, as it would with a plain one. */
function defineOwn(owner: object, value: unknown): void {
  const attributes = { writable: true, enumerable: true, configurable: true };
  Object.defineProperty(owner, 'prepareStackTrace', { value, ...attributes });
}

/** The getter's caller; `util.getCallSites` formats no trace. */
function isAskedByNode(): boolean {
  return getCallSites(3)[2]?.scriptName === 'node:internal/errors';
}

function withMapping(prepare: Prepare, find: Find): Prepare {
  const mapping = function (this: unknown, error: Error, sites: NodeJS.CallSite[]): unknown {
    for (const site of sites) mapSite(site, find);
    return Reflect.apply(prepare, this, [error, sites]);
  };
  return Object.defineProperty(mapping, 'name', { value: prepare.name, configurable: true });
}

/** Node's own text follows the maps of the app's own build where Node is asked to; call sites do not, in Node either. */
function toShown(place: SourcePlace | null): SourcePlace | null {
  return place !== null && process.sourceMapsEnabled ? (findOriginal(place) ?? place) : place;
}

/** Call sites are made anew for each trace, and CallSite.prototype can't be changed: each gets methods of its own. */
function mapSite(site: NodeJS.CallSite, find: Find): void {
  if (Object.hasOwn(site, 'toString')) return;
  const place = find(site);
  if (place === null) return;
  const { filename, line, column } = place;
  const compiled = `${site.getFileName() ?? ''}:${site.getLineNumber() ?? 0}:${site.getColumnNumber() ?? 0}`;
  const toText = site.toString.bind(site);
  const methods = {
    getFileName: () => filename,
    getLineNumber: () => line,
    getColumnNumber: () => column,
    toString: () => replaceLast(toText(), compiled, `${filename}:${line}:${column}`),
  };
  for (const [name, value] of Object.entries(methods)) {
    Object.defineProperty(site, name, { value, writable: true, configurable: true });
  }
}

function replaceLast(text: string, from: string, to: string): string {
  const at = text.lastIndexOf(from);
  return at === -1 ? text : text.slice(0, at) + to + text.slice(at + from.length);
}
