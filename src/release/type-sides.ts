/**
 * Both versions of the sources whose types may differ, laid out beside each other for a compiler: `before/` and `after/`.
 *
 * What is the same in both is found in the new tree, by `rootDirs`. That holds for relative specifiers only, so those that lead to
 * files of the app otherwise (packages of a workspace, `#x`, `paths` of tsconfig.json) are made relative.
 */

import { existsSync, readFileSync } from 'node:fs';
import { mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import MagicString from 'magic-string';
import { readOwnImports } from './own-imports.ts';
import { createResolver, type Resolver } from './resolve.ts';
import { isTyped } from './type-problems.ts';

export interface TypeSides {
  /** The trees of the two releases. */
  readonly before: string;
  readonly after: string;
  /** The app's own folder in them; empty where that is the whole. */
  readonly appFolder: string;
  /** The modules that are evaluated again. */
  readonly evaluated: readonly string[];
  /** Sources whose text differs, also where nothing but types does. */
  readonly differing: readonly string[];
}

/** What is evaluated again, and what has other types because a source differs that is not: as far as what is evaluated again.
 *  `sources` are all of the new tree. */
export function findConcerned(sides: TypeSides, sources: readonly string[]): readonly string[] {
  const { after, appFolder, evaluated, differing } = sides;
  const found = new Set(evaluated);
  const queue = differing.filter((at) => !found.has(at));
  if (queue.length === 0) return evaluated;
  const importers = readImporters(createResolver(after, { appFolder }), sources);
  for (const at of queue) {
    if (found.has(at)) continue;
    found.add(at);
    queue.push(...(importers.get(at) ?? []));
  }
  return [...found];
}

function readImporters(resolver: Resolver, sources: readonly string[]): ReadonlyMap<string, string[]> {
  const importers = new Map<string, string[]>();
  for (const at of sources) {
    const source = readSource(path.join(resolver.root, at)) ?? '';
    for (const { types } of readOwnImports(resolver, at, source))
      importers.set(types, [...(importers.get(types) ?? []), at]);
  }
  return importers;
}

export interface Layout {
  readonly folder: string;
  /** The sources that both sides get. */
  readonly files: readonly string[];
  text(path: string, source: string): string;
}

/** Lays them out, over what was there. */
export async function layOutSides(sides: TypeSides, { folder, files, text }: Layout): Promise<void> {
  const { after, appFolder } = sides;
  for (const side of ['before', 'after'] as const) {
    const resolver = createResolver(sides[side], { appFolder });
    for (const at of files.filter(isTyped)) {
      const source = readSource(path.join(resolver.root, at));
      if (source === null) continue;
      const file = path.join(folder, side, at);
      await mkdir(path.dirname(file), { recursive: true });
      await writeFile(file, text(at, toRelative(resolver, at, source)));
    }
    for (const at of new Set(files.flatMap(ancestorsOf)))
      await linkPackages(path.join(folder, side, at), path.join(after, at));
  }
  const own = path.join(after, appFolder);
  await linkPackages(folder, existsSync(path.join(own, 'node_modules')) ? own : after);
}

function toRelative(resolver: Resolver, at: string, source: string): string {
  const code = new MagicString(source);
  for (const { start, end, specifier, target } of readOwnImports(resolver, at, source)) {
    if (/^\.{1,2}\//.test(specifier)) continue;
    const relative = path.posix.relative(path.posix.dirname(at), target);
    code.overwrite(start, end, JSON.stringify(relative.startsWith('../') ? relative : `./${relative}`));
  }
  return code.toString();
}

/** The folders that a file is in, up to the tree's own, `''`. */
function ancestorsOf(at: string): readonly string[] {
  const parent = path.posix.dirname(at);
  return parent === '.' ? [''] : [parent, ...ancestorsOf(parent)];
}

/** Both sides find the packages of the new tree, and what it says of the kind of modules. */
async function linkPackages(folder: string, own: string): Promise<void> {
  for (const name of ['node_modules', 'package.json']) {
    const [link, target] = [path.join(folder, name), path.join(own, name)];
    await rm(link, { force: true });
    if (existsSync(target) && existsSync(folder)) await symlink(target, link);
  }
}

/** Null where only one of the releases has it. */
export function readSource(file: string): string | null {
  return existsSync(file) ? readFileSync(file, 'utf8') : null;
}
