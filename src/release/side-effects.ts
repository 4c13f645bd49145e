/** What a module does to the world while it is evaluated, as far as its text tells: calls of built-ins that are known to, and writes to globals. */

import { isTopLevel, literalText, walk, type Node, type Of } from './transform/ast.ts';
import type { Rewrite } from './transform/rewrite.ts';
import type { Variable } from './transform/scope.ts';

export interface SideEffect {
  readonly offset: number;
  /** `fs.mkdirSync`, `fetch`, `process.env.TZ`. */
  readonly detail: string;
}

/** Files that are written, what is started, what is opened to others. Reading is no effect. */
const effects: Readonly<Record<string, RegExp>> = {
  fs: /^(?:promises\.)?(?:writeFile|appendFile|mkdir|mkdtemp|rm|rmdir|unlink|rename|symlink|link|chmod|chown|truncate|cp|copyFile|watch|watchFile|createWriteStream)(?:Sync)?$/,
  'fs/promises':
    /^(?:writeFile|appendFile|mkdir|mkdtemp|rm|rmdir|unlink|rename|symlink|link|chmod|chown|truncate|cp|copyFile|watch)$/,
  child_process: /^(?:spawn|exec|execFile)(?:Sync)?$/,
  net: /^(?:connect|createConnection)$/,
  tls: /^connect$/,
  http: /^(?:get|request)$/,
  https: /^(?:get|request)$/,
  http2: /^connect$/,
  dgram: /^createSocket$/,
};
const globalCalls = /^(?:fetch|process\.(?:chdir|umask|setuid|setgid|kill|exit|abort))$/;
const globalObjects = new Set(['globalThis', 'global']);

/** Finds them, each with the place in the source. What a module has other modules do is theirs. */
export function findSideEffects(rewrite: Rewrite): readonly SideEffect[] {
  const imported = importedBuiltins(rewrite);
  const found: SideEffect[] = [];
  walk(rewrite.program, (node) => {
    const detail = effectOf(rewrite, imported, node);
    if (detail !== null && isTopLevel(node, rewrite.parents)) found.push({ offset: node.start, detail });
  });
  return found;
}

interface Builtin {
  readonly module: string;
  /** Null for the whole of it. */
  readonly name: string | null;
}

function importedBuiltins({ program, scopes }: Rewrite): ReadonlyMap<Variable, Builtin> {
  const found = new Map<Variable, Builtin>();
  for (const node of program.body) {
    if (node.type !== 'ImportDeclaration') continue;
    const module = node.source.value.replace(/^node:/, '');
    if (effects[module] === undefined) continue;
    for (const specifier of node.specifiers) {
      const variable = scopes.declared.get(specifier.local);
      if (variable !== undefined) found.set(variable, { module, name: importedName(specifier) });
    }
  }
  return found;
}

function importedName(specifier: Of<'ImportDeclaration'>['specifiers'][number]): string | null {
  if (specifier.type !== 'ImportSpecifier') return null;
  const { imported } = specifier;
  const name = imported.type === 'Identifier' ? imported.name : imported.value;
  return name === 'default' ? null : name;
}

function effectOf(rewrite: Rewrite, imported: ReadonlyMap<Variable, Builtin>, node: Node): string | null {
  if (node.type === 'AssignmentExpression') return writtenGlobal(rewrite, node.left);
  if (node.type !== 'CallExpression') return null;
  const path = memberPath(node.callee);
  if (path === null) return null;
  const variable = rewrite.scopes.references.get(path.root)?.variable ?? null;
  const names = path.members.join('.');
  if (variable === null) {
    const called = [path.root.name, ...path.members].join('.');
    return globalCalls.test(called) && !isQuestion(called, node) ? called : null;
  }
  const builtin = imported.get(variable);
  if (builtin === undefined) return null;
  const called = [...(builtin.name === null ? [] : [builtin.name]), ...(names === '' ? [] : [names])].join(
    '.',
  );
  return effects[builtin.module]?.test(called) === true ? `${builtin.module}.${called}` : null;
}

/** `process.umask()` without an argument asks. */
function isQuestion(called: string, { arguments: list }: Of<'CallExpression'>): boolean {
  return called === 'process.umask' && list.length === 0;
}

function writtenGlobal({ scopes }: Rewrite, left: Node): string | null {
  const path = left.type === 'MemberExpression' ? memberPath(left) : null;
  if (path === null || path.members.length === 0) return null;
  if (scopes.references.get(path.root)?.variable !== null) return null;
  const isEnvironment = path.root.name === 'process' && path.members[0] === 'env';
  if (!isEnvironment && !globalObjects.has(path.root.name)) return null;
  return [path.root.name, ...path.members].join('.');
}

interface MemberPath {
  readonly root: Of<'Identifier'>;
  readonly members: readonly string[];
}

function memberPath(node: Node): MemberPath | null {
  if (node.type === 'Identifier') return { root: node, members: [] };
  if (node.type !== 'MemberExpression') return null;
  const name = node.computed
    ? literalText(node.property)
    : node.property.type === 'Identifier'
      ? node.property.name
      : null;
  const object = name === null ? null : memberPath(node.object);
  return object === null || name === null ? null : { root: object.root, members: [...object.members, name] };
}
