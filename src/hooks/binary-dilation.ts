import { morphologyHook } from './shared/binary-morphology.ts';

export default morphologyHook('binary-dilation', 'Grow foreground');
