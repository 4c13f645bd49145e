/** Addresses as they are written: `127.0.0.1:8080`, `[::1]:8080`, `:8080` and `unix:/path`. */

export type ListenText =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string | null; readonly port: number };

const PORT_MAX = 65_535;

/** Null where it is no address. */
export function parseListenText(text: string): ListenText | null {
  if (text.startsWith('unix:')) return { kind: 'unix', path: text.slice('unix:'.length) };
  const match = /^(?:\[([^\]]+)\]|([^:]*)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > PORT_MAX) return null;
  return { kind: 'tcp', host: (match[1] ?? match[2]) || null, port };
}
