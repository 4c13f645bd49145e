/** What an app imports from `midflight/ws`. */

export { carryWebSockets } from './runtime/web-sockets/carry-web-sockets.ts';
export type { CarryOptions, WebSocketServerLike } from './runtime/web-sockets/carry-web-sockets.ts';
