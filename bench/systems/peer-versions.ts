import { versionOf, versionOfCommand } from '../report.ts';

export const peerVersions: Readonly<Record<string, string>> = {
  pm2: versionOf('pm2'),
  'close-with-grace': versionOf('close-with-grace'),
  'http-terminator': versionOf('http-terminator'),
  '@godaddy/terminus': versionOf('@godaddy/terminus'),
  nginx: versionOfCommand('nginx', '-v'),
  haproxy: versionOfCommand('haproxy', '-v'),
  go: versionOfCommand('go', 'version'),
};
