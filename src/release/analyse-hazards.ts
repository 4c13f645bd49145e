/** What a swap can't undo or carry, found in the code of one module. */

import { isTopLevel, literalText, walk, type Identifier, type Node } from './transform/ast.ts';
import { findSideEffects } from './side-effects.ts';
import { isBinary } from './uses-location.ts';
import { processMethods, type Rewrite } from './transform/rewrite.ts';
import type { ScopeReference, Variable } from './transform/scope.ts';
import { positionAt } from './transform/syntax-error.ts';
import type { Hazard } from '../protocol/manifest.ts';

/** Finds the hazards of a module, in source order. */
export function analyseHazards(rewrite: Rewrite): readonly Hazard[] {
  const found: Found[] = [
    ...stateHazards(rewrite),
    ...requestHazards(rewrite),
    ...findSideEffects(rewrite).map(({ offset, detail }) => ({
      kind: 'side-effect' as const,
      offset,
      detail,
    })),
  ];
  const lines = new Set(rewrite.requests.all.map(({ specifier }) => specifier.replace(/^node:/, '')));
  walk(rewrite.program, (node) => {
    const hazard = nodeHazard(rewrite, node, lines);
    if (hazard !== null) found.push(hazard);
  });
  return found
    .toSorted((left, right) => left.offset - right.offset)
    .map(({ kind, offset, detail }) => ({ kind, line: positionAt(rewrite.source, offset).line, detail }));
}

interface Found {
  readonly kind: Hazard['kind'];
  readonly offset: number;
  readonly detail: string;
}

/** Module-level variables that functions change: a re-evaluated module starts with new ones. */
function stateHazards({ scopes, parents }: Rewrite): Found[] {
  const found = new Map<Variable, Found>();
  for (const reference of scopes.references.values()) {
    const { variable } = reference;
    if (variable === null || variable.scope !== scopes.top || found.has(variable) || !reference.isInFunction)
      continue;
    const definition = variable.defs[0];
    if (definition?.type !== 'Variable') continue;
    const { id, init } = definition.node as unknown as Extract<Node, { type: 'VariableDeclarator' }>;
    const isChanged = reference.isWrite || (isCollection(init) && isMutation(reference.identifier, parents));
    if (!isChanged) continue;
    found.set(variable, { kind: 'module-state', offset: id.start, detail: variable.name });
  }
  return [...found.values()];
}

const collections = new Set(['Map', 'Set', 'WeakMap', 'WeakSet', 'Array']);
const mutators = new Set([
  'set',
  'add',
  'delete',
  'clear',
  'push',
  'pop',
  'shift',
  'unshift',
  'splice',
  'sort',
  'fill',
]);

function isCollection(init: Node | null): boolean {
  if (init?.type === 'ArrayExpression' || init?.type === 'ObjectExpression') return true;
  return (
    init?.type === 'NewExpression' && init.callee.type === 'Identifier' && collections.has(init.callee.name)
  );
}

function isMutation(identifier: Identifier, parents: ReadonlyMap<Node, Node>): boolean {
  const member = parents.get(identifier);
  if (member?.type !== 'MemberExpression' || member.object !== identifier) return false;
  const use = parents.get(member);
  if (use?.type === 'AssignmentExpression') return use.left === member;
  if (use?.type === 'UpdateExpression') return true;
  if (use?.type === 'UnaryExpression') return use.operator === 'delete';
  const isCalled = use?.type === 'CallExpression' && use.callee === member;
  return isCalled && member.property.type === 'Identifier' && mutators.has(member.property.name);
}

function requestHazards({ requests, source }: Rewrite): Found[] {
  return requests.all.flatMap(({ specifier }): Found[] => {
    const offset = Math.max(source.indexOf(specifier), 0);
    if (/^(?:node:)?cluster$/.test(specifier)) return [{ kind: 'cluster', offset, detail: specifier }];
    if (isBinary(specifier)) return [{ kind: 'native-addon', offset, detail: specifier }];
    return [];
  });
}

function nodeHazard(rewrite: Rewrite, node: Node, requested: ReadonlySet<string>): Found | null {
  if (node.type === 'NewExpression') {
    const isWorker = requested.has('worker_threads') && calleeName(node.callee) === 'Worker';
    return isWorker
      ? { kind: 'worker-entry', offset: node.start, detail: workerDetail(node.arguments[0]) }
      : null;
  }
  if (node.type !== 'CallExpression') return null;
  const name = calleeName(node.callee);
  if (requested.has('child_process') && name === 'fork') {
    return { kind: 'worker-entry', offset: node.start, detail: workerDetail(node.arguments[0]) };
  }
  if (!isTopLevel(node, rewrite.parents)) return null;
  if (name === 'setInterval' && isGlobal(rewrite, node.callee)) {
    return { kind: 'timer', offset: node.start, detail: 'setInterval' };
  }
  return listenerHazard(node);
}

function listenerHazard({
  callee,
  start,
  arguments: list,
}: Extract<Node, { type: 'CallExpression' }>): Found | null {
  if (callee.type !== 'MemberExpression' || callee.object.type !== 'Identifier') return null;
  if (callee.object.name !== 'process' || callee.property.type !== 'Identifier') return null;
  const { name } = callee.property;
  if (!processMethods.has(name) || name === 'off' || name === 'removeListener') return null;
  return { kind: 'process-listener', offset: start, detail: literalText(list[0]) ?? name };
}

function isGlobal({ scopes }: Rewrite, node: Node): boolean {
  const reference: ScopeReference | undefined = scopes.references.get(node);
  return reference?.variable === null;
}

function calleeName(node: Node): string | null {
  if (node.type === 'Identifier') return node.name;
  return node.type === 'MemberExpression' && node.property.type === 'Identifier' ? node.property.name : null;
}

function workerDetail(argument: Node | undefined): string {
  if (argument?.type === 'NewExpression') return literalText(argument.arguments[0]) ?? 'computed';
  return literalText(argument) ?? 'computed';
}
