import { eventually } from './harness.ts';
import type { PlateMount } from './plate-mount.ts';

const has = (text: string, what: string | RegExp): boolean =>
  typeof what === 'string' ? text.includes(what) : what.test(text);

/** The mount's log says something: it is written after whoever it happened to got the answer. */
export async function untilLogged(mount: PlateMount, what: string | RegExp): Promise<void> {
  await eventually(`the log says ${what}`, () => has(mount.log, what));
}

/** The log or the warnings of a mount say something. */
export async function untilTold(mount: PlateMount, what: string | RegExp): Promise<void> {
  await eventually(`${what} is told`, async () =>
    has(`${await mount.shell('cat .platefs/warnings.json')}${mount.log}`, what),
  );
}
