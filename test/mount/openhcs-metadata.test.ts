import { describe, it } from 'vitest';
import { mountProblem } from './harness.ts';
import { PlateMount } from './plate-mount.ts';

const problem = mountProblem();
const why = problem === undefined ? '' : ` (skipped: ${problem})`;

describe.skipIf(problem)(`openhcs_metadata.json can be written as OpenHCS does${why}`, () => {
  it('changed in place, appended to, and replaced by rename', async () => {
    await using mount = await PlateMount.start();
    await mount.python(`
p = os.path.join(mnt, 'openhcs_metadata.json')
before = json.load(open(p))
with open(p, 'r+') as f:
    d = json.load(f); assert d == before; d['added'] = 1
    f.seek(0); f.truncate(); json.dump(d, f)
assert json.load(open(p)) == {**before, 'added': 1}
with open(p, 'a') as f: f.write('\\n\\n')
assert open(p).read() == json.dumps({**before, 'added': 1}) + '\\n\\n'
with open(p + '.tmp', 'w') as f: json.dump({'new': 2}, f)
os.replace(p + '.tmp', p)
assert json.load(open(p)) == {'new': 2}
try: open(os.path.join(mnt, '.platefs', 'status.json'), 'a'); raise SystemExit('not refused')
except OSError as e: assert e.errno in (13, 30), e
`);
    await using second = await PlateMount.start();
    await second.python(`
p = os.path.join(mnt, 'openhcs_metadata.json')
before = open(p).read()
with open(p, 'a') as f: f.write('tail')
assert open(p).read() == before + 'tail'`);
  });
});
