/** What the rewriting of both kinds of modules shares: the open edit, and the globals that a generation owns. */

import type MagicString from 'magic-string';
import { literalText, type Identifier, type Node, type Parsed } from './ast.ts';
import type { ScopeReference, Scopes } from './scope.ts';
import type { RequestPhase } from '../../protocol/manifest.ts';

/** A request as the source states it; where it leads is found later. */
export interface SourceRequest {
  readonly specifier: string;
  readonly phase: RequestPhase;
  readonly type?: 'json';
}

/** One module while it is rewritten. */
export interface Rewrite extends Parsed {
  readonly path: string;
  readonly source: string;
  readonly scopes: Scopes;
  readonly code: MagicString;
  readonly names: ParameterNames;
  readonly requests: RequestList;
}

/** The names of the compiled function's parameters; longer where the source has one of them itself. */
export interface ParameterNames {
  readonly module: string;
  /** No parameter but a constant, see `holdToken`. */
  readonly token: string;
  readonly environment: string;
  readonly fallback: string;
  /** Stands for what no module declares. */
  readonly undeclared: string;
  readonly binding: (index: number) => string;
  /** What holds a private name of a live class. */
  readonly private: (index: number) => string;
  /** The private name in the place of the mark of such a class's instances. */
  readonly brand: string;
}

export interface RequestList {
  readonly all: readonly SourceRequest[];
  /** True when a request is only known at run time. */
  readonly hasComputed: boolean;
  readonly add: (specifier: string | null, phase: RequestPhase, type?: 'json') => void;
}

/** Requests in source order, each once. */
export function createRequestList(): RequestList {
  const found = new Map<string, SourceRequest>();
  let hasComputed = false;
  return {
    get all() {
      return [...found.values()];
    },
    get hasComputed() {
      return hasComputed;
    },
    add(specifier, phase, type) {
      if (specifier === null) hasComputed = true;
      else if (!found.has(`${phase} ${specifier}`))
        found.set(`${phase} ${specifier}`, { specifier, phase, ...(type === undefined ? {} : { type }) });
    },
  };
}

/** Picks parameter names that the source doesn't use. */
export function chooseNames(source: string): ParameterNames {
  let prefix = '$';
  const isUsed = (): boolean => {
    const escaped = prefix.replaceAll('$', String.raw`\$`);
    return new RegExp(String.raw`(?<![\w$])${escaped}(?:m|e|d|b|k|arguments|p?\d+)(?![\w$])`).test(source);
  };
  while (isUsed()) prefix += '$';
  return {
    module: `${prefix}m`,
    token: `${prefix}k`,
    environment: `${prefix}e`,
    fallback: `${prefix}d`,
    undeclared: `${prefix}arguments`,
    binding: (index) => `${prefix}${index}`,
    private: (index) => `${prefix}p${index}`,
    brand: `#${prefix}b`,
  };
}

/** Has every function of the module hold its token, so that it can be told which module's code somebody has captured: V8 gives
 *  all functions of a scope the variables that one of them uses. */
export function holdToken({ module, token }: ParameterNames): string {
  return `const ${token}=${module}.token;()=>${token};`;
}

/** Timers that belong to the generation that makes them. */
export const timerNames = new Set([
  'setTimeout',
  'setInterval',
  'setImmediate',
  'clearTimeout',
  'clearInterval',
  'clearImmediate',
]);

/** Methods of `process` whose listeners belong to the generation that adds them. */
export const processMethods = new Set([
  'on',
  'once',
  'addListener',
  'prependListener',
  'prependOnceListener',
  'off',
  'removeListener',
]);

/** Rewrites one reference to a global; true when it was one of the generation's own. */
export function rewriteGlobal(rewrite: Rewrite, { identifier, variable, isWrite }: ScopeReference): boolean {
  if (variable !== null || isWrite) return false;
  const { name } = identifier;
  const { module } = rewrite.names;
  if (timerNames.has(name)) replaceReference(rewrite, identifier, `${module}.timers.${name}`);
  else if (name === 'process' && isListenerCall(rewrite, identifier)) {
    rewrite.code.update(identifier.start, identifier.end, `${module}.process`);
  } else return false;
  return true;
}

/** True for the `process` of `process.on` and its like. */
export function isListenerCall({ parents }: Rewrite, identifier: Node): boolean {
  const parent = parents.get(identifier);
  if (parent?.type !== 'MemberExpression' || parent.object !== identifier || parent.computed) return false;
  return parent.property.type === 'Identifier' && processMethods.has(parent.property.name);
}

/** True for the `f` of `f()` and of a tagged template. */
export function isCalled(node: Node, parents: ReadonlyMap<Node, Node>): boolean {
  const parent = parents.get(node);
  if (parent?.type === 'CallExpression') return parent.callee === node;
  return parent?.type === 'TaggedTemplateExpression' && parent.tag === node;
}

/** Puts an expression where an identifier is; `{ a }` becomes `{ a: expression }`. */
export function replaceReference({ code, parents }: Rewrite, identifier: Identifier, text: string): void {
  const { name, start, end } = identifier;
  code.update(start, end, isShorthand(identifier, parents) ? `${name}:${text}` : text);
}

/** `import(x)` → `$m.import(x)`, and its request. */
export function rewriteDynamicImport(
  { code, names, requests }: Rewrite,
  node: Extract<Node, { type: 'ImportExpression' }>,
): void {
  requests.add(literalText(node.source), 'dynamic');
  code.update(node.start, node.start + 'import'.length, `${names.module}.import`);
}

/** Takes text away and leaves its line breaks. */
export function blank({ code, source }: Rewrite, start: number, end: number): void {
  if (start === end) return;
  const breaks = source.slice(start, end).replace(/[^\n]/g, '');
  if (breaks === '') code.remove(start, end);
  else code.update(start, end, breaks);
}

/** The next place of a text outside of comments. */
export function findText({ comments, source }: Rewrite, text: string, from: number): number {
  let at = source.indexOf(text, from);
  for (;;) {
    const comment = comments.find(({ start, end }) => start <= at && at < end);
    if (comment === undefined) return at;
    at = source.indexOf(text, comment.end);
  }
}

/** A statement that now starts with `(` or a template must not be taken for the end of the one before it. */
export function guardStatement({ code, parents }: Rewrite, start: number, node: Node): void {
  let statement: Node | undefined = node;
  while (statement !== undefined && statement.type !== 'ExpressionStatement') {
    if (statement.start !== start) return;
    statement = parents.get(statement);
  }
  if (statement?.start !== start) return;
  const parent = parents.get(statement);
  const siblings = parent === undefined ? [] : statementsOf(parent);
  const position = siblings.indexOf(statement);
  // On the left of everything else that may come to stand here.
  if (position > 0) code.appendLeft(start, ';');
}

/** The list of statements that a node is, empty where it is none. */
export function statementsOf(node: Node): readonly Node[] {
  if (node.type === 'SwitchCase') return node.consequent;
  const isList = node.type === 'Program' || node.type === 'BlockStatement' || node.type === 'StaticBlock';
  return isList ? node.body : [];
}

function isShorthand(identifier: Node, parents: ReadonlyMap<Node, Node>): boolean {
  let value = identifier;
  let parent = parents.get(value);
  if (parent?.type === 'AssignmentPattern' && parent.left === value) {
    value = parent;
    parent = parents.get(value);
  }
  return parent?.type === 'Property' && parent.shorthand && parent.value === value;
}
