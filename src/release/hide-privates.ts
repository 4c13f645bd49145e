/** Takes private members out of TypeScript's classes: two declarations of one are two types to it, however alike they are. */

import MagicString from 'magic-string';
import { parseSync, type Node } from 'oxc-parser';
import { walk } from './transform/ast.ts';

/** The same classes with what others see of them; what is protected is public. Only types are to be read from it: it would not run. */
export function hidePrivates(path: string, source: string): string {
  const { program, errors } = parseSync(path, source, { range: true });
  if (errors.some(({ severity }) => severity === 'Error')) return source;
  const code = new MagicString(source);
  walk(program, (node) => {
    const member = toMember(node);
    if (member === null) return;
    const { isPrivate, start, end } = member;
    if (isPrivate) code.remove(start, node.type === 'TSParameterProperty' ? node.parameter.start : end);
    else {
      const modifier = /\b(?:private|protected)\b/.exec(source.slice(start, end));
      if (modifier !== null) code.remove(start + modifier.index, start + modifier.index + modifier[0].length);
    }
  });
  return code.toString();
}

interface Member {
  readonly start: number;
  readonly end: number;
  readonly isPrivate: boolean;
}

/** Constructors stay, as others may call them, and parameters, which they have. */
function toMember(node: Node): Member | null {
  const { start, end } = node;
  switch (node.type) {
    case 'PropertyDefinition':
    case 'MethodDefinition':
    case 'AccessorProperty':
    case 'TSAbstractPropertyDefinition':
    case 'TSAbstractMethodDefinition': {
      const isPrivate = node.key.type === 'PrivateIdentifier' || node.accessibility === 'private';
      const isHidden = isPrivate && !('kind' in node && node.kind === 'constructor');
      return isHidden || (node.accessibility ?? 'public') !== 'public'
        ? { start, end, isPrivate: isHidden }
        : null;
    }
    case 'TSParameterProperty':
      return node.accessibility === 'private' || node.accessibility === 'protected'
        ? { start, end, isPrivate: node.accessibility === 'private' }
        : null;
    default:
      return null;
  }
}
