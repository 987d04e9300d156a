import { describe, expect, it } from 'vitest';
import { KernelDouble } from './kernel-double.ts';
import { MemoryTree } from './memory-tree.ts';

const ESTALE = 116;
const ROOT = 1;
const O_RDWR = 2;

describe('a node whose file is gone while the kernel still has its name', () => {
  it('is not opened, so that the kernel looks the name up again', () => {
    const kernel = new KernelDouble((folder) => new MemoryTree({}, folder, () => {}), 1 << 20);
    try {
      const { entry, open } = kernel.request((front, context) =>
        front.create(context, ROOT, 'a', 0o644, O_RDWR),
      );
      kernel.request((front, context) => front.release(context, entry.node, open.handle));
      kernel.request((front, context) => front.unlink(context, ROOT, 'a'));
      const stale = expect.objectContaining({ errno: ESTALE });
      for (const flags of [0, O_RDWR]) {
        expect(() => kernel.request((front, context) => front.open(context, entry.node, flags))).toThrow(
          stale,
        );
      }
      expect(() => kernel.request((front, context) => front.read(context, entry.node, 1n, 0, 1))).toThrow(
        stale,
      );
      // Who still holds it without having it open (O_PATH, a working directory) is told what it was.
      expect(kernel.request((front, context) => front.getattr(context, entry.node))).toMatchObject({
        attributes: { nlink: 0, mode: 0o100644 },
      });
    } finally {
      kernel.dispose();
    }
  });
});
