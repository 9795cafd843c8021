import type { FC } from 'react';
import { bodyDress, CodeBox, Frame, Heading, Slot, smallDress } from './parts.js';

/** The one-time code. No link to the ticket: whoever reads this mail alone gets nowhere. */
const Code: FC = () => (
  <Frame footer="codeFooter">
    <Heading above={20} />
    <Slot name="body" dress={bodyDress()} />
    <CodeBox />
    <Slot name="note" dress={smallDress()} />
  </Frame>
);

export default Code;
