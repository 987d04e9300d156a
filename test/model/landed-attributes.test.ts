import { afterEach, beforeEach, expect, it } from 'vitest';
import { KernelDouble } from './kernel-double.ts';
import { MemoryTree } from './memory-tree.ts';

const O_RDWR = 2;
const BYTES = Buffer.from('bytes that land, and land again');
let kernel: KernelDouble;

beforeEach(() => {
  kernel = new KernelDouble((folder) => new MemoryTree({}, folder, () => {}), 1 << 20);
});
afterEach(() => kernel.dispose());

function land(node: number): void {
  const landing = kernel.beginLanding(node);
  if (landing) kernel.endLanding(landing);
  expect(kernel.overlay.inode(node)?.landed).toBeDefined();
}

/** A file that was written, closed, and has landed. */
function landed(): number {
  const handle = kernel.create(['x'], 0o644, O_RDWR);
  kernel.write(handle, 0, BYTES);
  kernel.close(handle);
  land(handle.node);
  return handle.node;
}

// The kernel repeats a call once only that is answered ESTALE, and by then the file may have landed again.
it.each([
  ['utimes', { mtimeNs: 1_500_000_000_000_000_000n }, BYTES],
  ['truncate', { sizeBytes: 5 }, BYTES.subarray(0, 5)],
])('%s of a landed file is carried out, and answered with what came of it', (_, change, expected) => {
  const node = landed();
  const reply = kernel.request((front, context) =>
    front.setattr(context, node, { ...change, throughHandle: false }),
  );
  expect(reply.attributes).toMatchObject({
    sizeBytes: expected.length,
    ...('mtimeNs' in change ? { mtimeNs: change.mtimeNs } : {}),
  });
  const handle = kernel.open(['x'], O_RDWR);
  expect(Buffer.from(kernel.read(handle, 0, 100))).toEqual(expected);
  kernel.close(handle);
});
