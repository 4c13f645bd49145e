const day = new Intl.DateTimeFormat('en', { weekday: 'long', timeZone: 'UTC' });
const clock = new Intl.DateTimeFormat('en', { hour: 'numeric', minute: '2-digit', timeZone: 'UTC' });

export function format(time: Date): string {
  return `It is ${clock.format(time)} on ${day.format(time)} (UTC)`;
}
