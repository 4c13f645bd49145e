/**
 * The command line that starts a program under a small parent of its own, in Perl: Node can't tell a child its own pid before it runs,
 * nor who has sent a signal.
 *
 * The parent
 * 1. sets `LISTEN_PID`, which only the program's own process knows;
 * 2. closes what was inherited from whoever started Midflight, and is not the program's;
 * 3. passes signals on to the program, but for those that come from the program itself: some end their parent when they have
 *    inherited a socket (facebookgo/grace, fvbock/endless), which would be the service;
 * 4. ends as the program does.
 * It is the leader of a group, so that killing the group ends all that the program has started.
 *
 * Without Perl the program is started by `sh`, which does the first and then becomes the program.
 */

import { existsSync } from 'node:fs';
import path from 'node:path';

export interface CommandLine {
  readonly file: string;
  readonly args: readonly string[];
}

export interface ProgramOptions {
  readonly words: readonly string[];
  /** How many sockets it inherits, from descriptor 3 on. */
  readonly inheritedCount: number;
  /** The program gets the end to write to of this FIFO as the next descriptor, which `READY_FD` names. */
  readonly readyFifo: string | null;
  /** What SIGTERM becomes on its way to the program. */
  readonly stopSignal: NodeJS.Signals;
}

/** What to spawn instead of the program. */
export function toProgramCommandLine(options: ProgramOptions): CommandLine {
  const { words, inheritedCount, readyFifo, stopSignal } = options;
  if (!hasPerl()) return { file: 'sh', args: ['-c', 'LISTEN_PID=$$ exec "$@"', 'sh', ...words] };
  const settings = [String(inheritedCount), readyFifo ?? '', stopSignal.replace(/^SIG/, '')];
  return { file: 'perl', args: ['-e', script, '--', ...settings, ...words] };
}

/** True when it is there to be run. */
export function hasPerl(): boolean {
  const folders = (process.env['PATH'] ?? '').split(path.delimiter);
  return folders.some((folder) => existsSync(path.join(folder, 'perl')));
}

const script = String.raw`
use strict;
use POSIX ();

my ($count, $fifo, $stop, @words) = @ARGV;
my @names = qw(HUP INT QUIT USR1 USR2 TERM);
my %numbers = map { $_ => POSIX->can("SIG$_")->() } @names, qw(KILL PIPE ALRM);
my $held = POSIX::SigSet->new(@numbers{@names});
my ($keeper, $program) = (getppid);

# Held back until it is known whom to pass them on to.
POSIX::sigprocmask(POSIX::SIG_BLOCK(), $held);
for my $name (@names) {
  my $pass_on = sub { pass_on($name, $_[1]{pid}) };
  POSIX::sigaction($numbers{$name}, POSIX::SigAction->new($pass_on, POSIX::SigSet->new, POSIX::SA_SIGINFO()));
}
$program = fork;
exit 126 if !defined $program;
run() if $program == 0;
POSIX::sigprocmask(POSIX::SIG_UNBLOCK(), $held);

1 while waitpid($program, 0) != $program;
my $signal = $? & 127;
exit $? >> 8 if $signal == 0;
$SIG{$_} = 'DEFAULT' for @names;
# Not by a signal that makes a core: it would be one of Perl.
kill $signal, $$ if $signal != $numbers{QUIT} && grep { $signal == $_ } values %numbers;
exit 128 + $signal;

sub run {
  $SIG{$_} = 'DEFAULT' for @names;
  POSIX::sigprocmask(POSIX::SIG_UNBLOCK(), $held);
  my $last = 2 + $count;
  if (opendir my $folder, '/proc/self/fd') {
    my @open = readdir $folder;
    closedir $folder;
    POSIX::close($_) for grep { /^\d+$/ && $_ > $last } @open;
  }
  if ($fifo ne '') {
    my $fd = POSIX::open($fifo, POSIX::O_WRONLY());
    POSIX::dup2($fd, $last + 1), POSIX::close($fd) if $fd != $last + 1;
    $ENV{READY_FD} = $last + 1;
  }
  $ENV{LISTEN_PID} = $$;
  # In a block of its own, as Perl warns of lines after an exec.
  { exec { $words[0] } @words }
  print STDERR "$words[0]: $!\n";
  POSIX::_exit(127);
}

# Nothing is known of a sender that has ended: as long as the keeper lives, it is taken to be of the program.
sub pass_on {
  my ($name, $from) = @_;
  my $group = getpgrp($from || $$);
  my $is_own = $from == $program || !defined $group || $group < 0 || $group == $$;
  return if $is_own && $from != $keeper && getppid == $keeper;
  # The program is about to close its sockets: a copy would keep the address, where no keeper holds it any more.
  if ($name eq 'TERM') { POSIX::close($_) for 3 .. 2 + $count }
  kill $name eq 'TERM' ? $stop : $name, $program;
}
`;
