/** What a module says through `import.meta.hot`, as far as its text tells. What it does there when it runs is the runtime's affair. */

import { literalText, walk, type Node, type Of } from './ast.ts';
import type { Rewrite } from './rewrite.ts';
import type { ModuleHot } from '../../protocol/manifest.ts';

/** What `import.meta.hot` is used for, but for what is derived from it. */
export type HotUse = Omit<ModuleHot, 'live'>;

/**
 * Finds the use of `import.meta.hot`, also by `const hot = import.meta.hot` and `const { hot } = import.meta`; null where there is
 * none. Dependencies and export names count as literals only: a call with computed ones accepts nothing. A single argument that is
 * neither a text nor an array is a callback.
 */
export function findHot(rewrite: Rewrite): HotUse | null {
  if (!rewrite.source.includes('hot')) return null;
  const search: Search = { rewrite, aliases: new Map() };
  walk(rewrite.program, (node) => {
    if (node.type === 'VariableDeclarator') collectAlias(search, node);
  });
  let isUsed = [...search.aliases.values()].includes('hot');
  const calls: Call[] = [];
  walk(rewrite.program, (node) => {
    isUsed ||= meaningOf(search, node) === 'hot';
    if (node.type === 'CallExpression') calls.push(...hotCall(search, node));
  });
  return isUsed ? toUse(calls) : null;
}

type Meaning = 'meta' | 'hot';

interface Search {
  readonly rewrite: Rewrite;
  /** Identifiers that declare another name for one of them. */
  readonly aliases: Map<unknown, Meaning>;
}

interface Call {
  readonly method: string;
  readonly list: readonly Node[];
}

function collectAlias(search: Search, { id, init }: Of<'VariableDeclarator'>): void {
  const meaning = init === null ? null : meaningOf(search, init);
  if (meaning === null) return;
  if (id.type === 'Identifier') search.aliases.set(id, meaning);
  if (id.type !== 'ObjectPattern' || meaning !== 'meta') return;
  for (const property of id.properties) {
    if (property.type !== 'Property' || property.computed || propertyName(property.key) !== 'hot') continue;
    const { value } = property;
    search.aliases.set(value.type === 'AssignmentPattern' ? value.left : value, 'hot');
  }
}

function meaningOf(search: Search, node: Node): Meaning | null {
  switch (node.type) {
    case 'MetaProperty':
      return node.meta.name === 'import' ? 'meta' : null;
    case 'ChainExpression':
      return meaningOf(search, node.expression);
    case 'MemberExpression':
      return memberName(node) === 'hot' && meaningOf(search, node.object) === 'meta' ? 'hot' : null;
    case 'Identifier':
      return aliasOf(search, node);
    default:
      return null;
  }
}

function aliasOf({ rewrite, aliases }: Search, identifier: Node): Meaning | null {
  const variable = rewrite.scopes.references.get(identifier)?.variable;
  if (variable?.defs.length !== 1) return null;
  const isFixed = variable.references.every((reference) => !reference.isWrite() || reference.init === true);
  return isFixed ? (aliases.get(variable.defs[0]?.name) ?? null) : null;
}

function hotCall(search: Search, { callee, arguments: list }: Of<'CallExpression'>): Call[] {
  if (callee.type !== 'MemberExpression' || meaningOf(search, callee.object) !== 'hot') return [];
  const method = memberName(callee);
  return method === null ? [] : [{ method, list }];
}

function toUse(calls: readonly Call[]): HotUse {
  const listsOf = (name: string): (readonly Node[])[] =>
    calls.flatMap(({ method, list }) => (method === name ? [list] : []));
  const accepts = listsOf('accept');
  const names = listsOf('acceptExports').flatMap(([first]) => textsOf(first) ?? []);
  const hasNames = listsOf('acceptExports').some(([first]) => textsOf(first) !== null);
  return {
    acceptsSelf: accepts.some(isForSelf),
    acceptedExports: hasNames ? unique(names) : null,
    acceptedDependencies: unique(accepts.flatMap(([first]) => textsOf(first) ?? [])),
    declines: listsOf('decline').length > 0,
  };
}

function isForSelf([first, second]: readonly Node[]): boolean {
  if (first === undefined) return true;
  return second === undefined && !notCallbacks.has(first.type) && literalText(first) === null;
}

const notCallbacks = new Set<string>([
  'ArrayExpression',
  'BinaryExpression',
  'SpreadElement',
  'TemplateLiteral',
]);

/** The texts that an argument states; null where it is computed. */
function textsOf(node: Node | undefined): string[] | null {
  if (node?.type !== 'ArrayExpression') {
    const text = literalText(node);
    return text === null ? null : [text];
  }
  const texts = node.elements.map((element) => literalText(element));
  return texts.every((text) => text !== null) ? texts : null;
}

function memberName({ property, computed }: Of<'MemberExpression'>): string | null {
  return computed ? literalText(property) : propertyName(property);
}

function propertyName(key: Node): string | null {
  return key.type === 'Identifier' ? key.name : literalText(key);
}

function unique(texts: readonly string[]): string[] {
  return [...new Set(texts)].toSorted();
}
