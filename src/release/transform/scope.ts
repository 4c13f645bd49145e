/** Which variable each identifier means. */

import { analyze, type Reference, type Scope, type Variable } from 'eslint-scope';
import { MidflightError } from '../../errors.ts';
import type { Identifier, Node, Program } from './ast.ts';

export type { Scope, Variable } from 'eslint-scope';

export interface ScopeReference {
  readonly identifier: Identifier;
  /** Null where nothing in the file declares it: a global. */
  readonly variable: Variable | null;
  readonly isWrite: boolean;
  /** The code around it runs later than the module itself. */
  readonly isInFunction: boolean;
}

export interface Scopes {
  /** Where the module's own declarations are. */
  readonly top: Scope;
  readonly references: ReadonlyMap<Node, ScopeReference>;
  /** The variable of the module itself that an identifier declares. */
  readonly declared: ReadonlyMap<Node, Variable>;
}

const ECMA_VERSION = 2025;

/** What eslint-scope does not know by itself. It copies all keys for every pattern that it visits, so there should be few. */
const childVisitorKeys = { ImportExpression: ['source', 'options'] };

/** Resolves every reference of a module. */
export function analyseScopes(program: Program, sourceType: 'module' | 'commonjs'): Scopes {
  // eslint-scope is typed for ESTree's own node types, of which oxc's are the same but for extra fields.
  const tree: unknown = program;
  const manager = analyze(tree as Parameters<typeof analyze>[0], {
    ecmaVersion: ECMA_VERSION,
    sourceType,
    // Strict code in `eval` declares nothing around it; else every reference of the module would be left open.
    ignoreEval: true,
    childVisitorKeys,
    fallback: 'iteration',
  });
  const top = manager.globalScope?.childScopes[0];
  if (top === undefined) throw new MidflightError('ERR_MIDFLIGHT_INTERNAL', ['a module without a scope']);
  const found = new Map<Node, ScopeReference>();
  for (const scope of manager.scopes) {
    for (const reference of scope.references) {
      const seen = toReference(reference, top);
      if (!found.has(seen.identifier)) found.set(seen.identifier, seen);
    }
  }
  return { top, references: found, declared: declaredIn(top) };
}

function declaredIn({ variables }: Scope): Map<Node, Variable> {
  const declared = new Map<Node, Variable>();
  for (const variable of variables) {
    for (const identifier of variable.identifiers) declared.set(identifier as unknown as Node, variable);
  }
  return declared;
}

function toReference(reference: Reference, top: Scope): ScopeReference {
  return {
    identifier: reference.identifier as unknown as Identifier,
    variable: reference.resolved,
    isWrite: reference.isWrite(),
    isInFunction: reference.from.variableScope !== top,
  };
}
