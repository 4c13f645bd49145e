/** `ns.name`: which member of a namespace is used, and how. */

import type { Node } from './ast.ts';
import type { MemberUse } from './esm-bindings.ts';

export interface UsedMember {
  readonly name: string;
  readonly member: MemberUse;
}

/** The member that is read of `object`; null where `object` is used as a whole, or its member is computed, written or deleted. */
export function memberUse(object: Node, parents: ReadonlyMap<Node, Node>): UsedMember | null {
  const member = parents.get(object);
  if (member?.type !== 'MemberExpression' || member.object !== object) return null;
  if (member.computed || member.property.type !== 'Identifier') return null;
  // `(ns?.f)()` is called on `ns`, too.
  const outer = parents.get(member);
  const value = outer?.type === 'ChainExpression' ? outer : member;
  const user = parents.get(value);
  if (user === undefined || isTarget(value, user, parents.get(user))) return null;
  return { name: member.property.name, member: isCallee(value, user) ? 'callee' : 'value' };
}

function isCallee(value: Node, user: Node): boolean {
  if (user.type === 'CallExpression') return user.callee === value;
  return user.type === 'TaggedTemplateExpression' && user.tag === value;
}

/** True for what is assigned, by itself or in a pattern, or deleted. */
function isTarget(value: Node, user: Node, pattern: Node | undefined): boolean {
  switch (user.type) {
    case 'AssignmentExpression':
    case 'AssignmentPattern':
    case 'ForInStatement':
    case 'ForOfStatement':
      return user.left === value;
    case 'UnaryExpression':
      return user.operator === 'delete';
    case 'UpdateExpression':
    case 'ArrayPattern':
    case 'RestElement':
      return true;
    case 'Property':
      return user.value === value && pattern?.type === 'ObjectPattern';
    default:
      return false;
  }
}
