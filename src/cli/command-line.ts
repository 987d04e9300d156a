import yargs from 'yargs';
import { didYouMean } from '../config/did-you-mean.ts';
import { BadParameterError } from '../core/errors.ts';
import type { Command } from './command.ts';
import { allCommands, COMMAND_NAMES, commandOf } from './commands.ts';
import { exitCode, exitCodeOf } from './exit-codes.ts';
import { Terminal, type TextSink } from './terminal.ts';

const nameOf = ({ usage }: Command<never>): string => usage.split(' ')[0] ?? usage;

export interface RunOptions {
  readonly out?: TextSink;
  readonly err?: TextSink;
  readonly version: string;
  /** Fires at Ctrl-C. */
  readonly signal: AbortSignal;
}

/** The one that is named where that is certain before anything is parsed: loading all takes most of a short command's time. */
async function commandsFor(argv: readonly string[]): Promise<readonly Command<never>[]> {
  const named = await commandOf(argv.find((word) => word !== '--json') ?? '');
  return named ? [named] : await allCommands();
}

function build(argv: readonly string[], version: string, commands: readonly Command<never>[]) {
  const parser = yargs([...argv])
    .scriptName('platefs')
    .usage('Mount a microscope plate as ordinary files, and write back to it.\n\nplatefs COMMAND')
    .option('json', { type: 'boolean', default: false, describe: 'print one JSON document', global: true })
    .version(version)
    .help()
    .alias('help', 'h')
    .strict()
    .demandCommand(1, 1, 'name a command')
    .parserConfiguration({ 'duplicate-arguments-array': false, 'camel-case-expansion': true })
    .wrap(Math.min(110, process.stdout.columns ?? 100))
    .exitProcess(false);
  for (const command of commands) {
    parser.command(
      command.usage,
      command.summary,
      (inner) => {
        for (const example of command.examples) inner.example(`platefs ${example}`, '');
        // yargs takes the words of a positional for repetitions of one option.
        if (command.usage.includes('..'))
          inner.parserConfiguration({ 'duplicate-arguments-array': true, 'camel-case-expansion': true });
        command.options(inner);
      },
      () => undefined,
    );
  }
  return parser;
}

/** yargs' complaint as a sentence that says what to write. */
function usageError(
  message: string,
  command: Command<never> | undefined,
  argv: readonly string[],
): BadParameterError {
  const unknown = /^Unknown arguments?: (.*)$/.exec(message)?.[1]?.split(', ')[0];
  const help = `see  platefs ${command ? `${nameOf(command)} ` : ''}--help`;
  if (unknown !== undefined && argv.includes(unknown))
    return new BadParameterError(unknown, `is one word too many; ${help}`);
  if (unknown !== undefined) {
    const dashes = unknown.length === 1 ? '-' : '--';
    return new BadParameterError(`${dashes}${unknown}`, `unknown option; ${help}`);
  }
  if (command && message.startsWith('Not enough'))
    return new BadParameterError('command line', `something is missing; write  platefs ${command.usage}`);
  return new BadParameterError('command line', `${message.replace(/\s*\n\s*/g, ' ')}; ${help}`);
}

/**
 * Runs one command line (without the program's own name) and reports everything to the sinks.
 * @returns the exit status; never throws.
 */
export async function runCommandLine(argv: readonly string[], options: RunOptions): Promise<number> {
  const { out = process.stdout, err = process.stderr, version, signal } = options;
  const terminal = new Terminal({ json: argv.includes('--json'), out, err });
  try {
    let printed = '';
    let complaint: string | undefined;
    const commands = await commandsFor(argv);
    const args = (await build(argv, version, commands).parse(
      [...argv],
      (error: Error | undefined, _: unknown, text: string) => {
        printed = text;
        complaint = error?.message;
      },
    )) as Record<string, unknown> & { _: (string | number)[] };
    const name = String(args._[0] ?? '');
    const command = commands.find((one) => nameOf(one) === name);
    if (complaint === undefined && printed !== '') {
      out.write(`${printed}\n`);
      return exitCode('ok');
    }
    if (!command && name !== '')
      throw new BadParameterError(name, `unknown command${didYouMean(name, COMMAND_NAMES)}`);
    if (complaint !== undefined || !command) throw usageError(complaint ?? 'name a command', command, argv);
    return await command.run(args as never, { terminal, signal });
  } catch (error) {
    terminal.error(error);
    return exitCodeOf(error);
  }
}
