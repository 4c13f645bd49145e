/**
 * Live identity: in a module that accepts itself, an exported function or class is the same object in all versions. The compiled
 * code asks `$m.live(key, value)` for the object that stands for what this version has under the key. Not live is what the module
 * writes more than once (a class with lowered decorators, say), a class expression that refers to itself by a name of its own, and
 * a class whose private names can't be shared by its versions.
 */

import { walk, type ClassNode, type Node } from './ast.ts';
import type { EsmBindings } from './esm-bindings.ts';
import { canSharePrivates } from './private-names.ts';
import type { Rewrite } from './rewrite.ts';
import type { Variable } from './scope.ts';
import { positionAt } from './syntax-error.ts';
import type { LiveExport } from '../../protocol/manifest.ts';

/** What is live, by the node of the function or class. */
export type LiveNodes = ReadonlyMap<Node, LiveExport>;

/** Finds the exported functions and classes that can be live, and the module's own classes that these extend. */
export function findLive(rewrite: Rewrite, bindings: EsmBindings): LiveNodes {
  const found = new Map<Node, LiveExport>();
  for (const variable of bindings.exportsOf.keys()) addVariable(rewrite, bindings, found, variable);
  for (const statement of rewrite.program.body) {
    if (statement.type !== 'ExportDefaultDeclaration') continue;
    const { declaration } = statement;
    const variable = variableOf(rewrite, declaration);
    if (variable !== null) addVariable(rewrite, bindings, found, variable);
    else if (!isDeclared(declaration)) add(rewrite, bindings, found, { node: declaration, name: 'default' });
  }
  return found;
}

/** Makes one function or class live; a default export without a name is left to the rewriting of `export default`. */
export function rewriteLive(
  { code, parents, names }: Rewrite,
  hoisted: string[],
  node: Node,
  { name }: LiveExport,
): void {
  const live = `${names.module}.live(${JSON.stringify(name)}`;
  if (node.type === 'FunctionDeclaration') {
    if (node.id !== null) hoisted.push(`${name}=${live},${name});`);
    else hoisted.push(`${names.fallback}=${live},${names.module}.named(${names.fallback},"default"));`);
  } else if (node.type === 'ClassDeclaration' && node.id !== null) {
    // The static block comes before every static initializer: these see the stable class by its name. The call around it all
    // comes after them.
    code.prependRight(node.start, `let ${name}=${live});${live},{${name}:`);
    code.remove(node.id.start, node.id.end);
    code.appendLeft(node.body.start + 1, `static{${live},this)}`);
    code.appendLeft(node.end, `}.${name});`);
  } else if (parents.get(node)?.type === 'VariableDeclarator') {
    // A property's initializer names it as the variable's does. ECMA-262 8.4.5 NamedEvaluation.
    code.prependRight(node.start, `${live},{${name}:`);
    code.appendLeft(node.end, `}.${name})`);
  }
}

interface Candidate {
  readonly node: Node;
  readonly name: string;
}

type Found = Map<Node, LiveExport>;

function addVariable(rewrite: Rewrite, bindings: EsmBindings, found: Found, variable: Variable): void {
  const node = nodeOf(rewrite, variable);
  // `{ __proto__: value }` does not name the value.
  if (node !== null && variable.name !== '__proto__')
    add(rewrite, bindings, found, { node, name: variable.name });
}

/** The function or class that a variable of the module has for good. */
function nodeOf({ parents, scopes }: Rewrite, variable: Variable): Node | null {
  const [definition] = variable.defs;
  if (definition === undefined || variable.defs.length > 1 || variable.scope !== scopes.top) return null;
  if (variable.references.some((reference) => reference.isWrite() && reference.init !== true)) return null;
  const node = definition.node as unknown as Node;
  if (node.type !== 'VariableDeclarator') return isStatement(parents, node) ? node : null;
  const declaration = parents.get(node);
  const isOwn = declaration !== undefined && isStatement(parents, declaration);
  return isOwn && node.id.type === 'Identifier' ? node.init : null;
}

/** True for a declaration that is evaluated once. */
function isStatement(parents: ReadonlyMap<Node, Node>, node: Node): boolean {
  const type = parents.get(node)?.type;
  return type === 'Program' || type === 'ExportNamedDeclaration' || type === 'ExportDefaultDeclaration';
}

/** True for a declaration with a name: that is a variable. */
function isDeclared(node: Node): boolean {
  return (node.type === 'FunctionDeclaration' || node.type === 'ClassDeclaration') && node.id !== null;
}

function variableOf({ scopes }: Rewrite, node: Node | null): Variable | null {
  return node === null ? null : (scopes.references.get(node)?.variable ?? null);
}

function add(rewrite: Rewrite, bindings: EsmBindings, found: Found, { node, name }: Candidate): void {
  if (found.has(node)) return;
  const line = positionAt(rewrite.source, node.start).line;
  switch (node.type) {
    case 'FunctionDeclaration':
    case 'FunctionExpression':
    case 'ArrowFunctionExpression':
      found.set(node, { name, kind: 'function', base: null, privates: [], line });
      return;
    case 'ClassDeclaration':
    case 'ClassExpression':
      if (namesItself(rewrite, node) || !canSharePrivates(node)) return;
      found.set(node, {
        name,
        kind: 'class',
        base: baseOf(rewrite, bindings, node),
        privates: privatesOf(node),
        line,
      });
      addBase(rewrite, bindings, found, node);
      return;
    default:
  }
}

/** True for a class expression whose own name is used in it: that name is the class of this version for ever. */
function namesItself({ scopes }: Rewrite, { type, id, body, superClass }: ClassNode): boolean {
  if (type !== 'ClassExpression' || id === null) return false;
  const name: unknown = id;
  let isUsed = false;
  const visit = (node: Node): void => {
    isUsed ||= scopes.references.get(node)?.variable?.identifiers.some((known) => known === name) === true;
  };
  walk(body, visit);
  if (superClass !== null) walk(superClass, visit);
  return isUsed;
}

/** A class of the module that is extended is live too: the instances of its subclasses outlive a version. */
function addBase(rewrite: Rewrite, bindings: EsmBindings, found: Found, { superClass }: ClassNode): void {
  const variable = variableOf(rewrite, superClass);
  if (variable === null) return;
  const node = nodeOf(rewrite, variable);
  if (node?.type === 'ClassDeclaration' || node?.type === 'ClassExpression')
    addVariable(rewrite, bindings, found, variable);
}

function baseOf(rewrite: Rewrite, { importOf }: EsmBindings, { superClass }: ClassNode): string | null {
  if (superClass === null) return null;
  const variable = variableOf(rewrite, superClass);
  const imported = variable === null ? undefined : importOf.get(variable);
  if (imported !== undefined) return `${imported.name} from ${imported.specifier}`;
  return rewrite.source.slice(superClass.start, superClass.end);
}

function privatesOf({ body }: ClassNode): string[] {
  const names = body.body.flatMap((element) => {
    const isNamed = element.type === 'PropertyDefinition' || element.type === 'MethodDefinition';
    if (!isNamed || element.static || element.key.type !== 'PrivateIdentifier') return [];
    return [`#${element.key.name}${element.type === 'MethodDefinition' ? '()' : ''}`];
  });
  return [...new Set(names)];
}
