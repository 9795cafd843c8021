import type { FC } from 'react';
import { bodyDress, Frame, Heading, LinkAddress, LinkButton, Moment, Slot, smallDress } from './parts.js';

/** An alert about a ticket: what happened, one button, its address, nothing of what was written. */
const Notification: FC = () => (
  <Frame footer="ticketFooter">
    <Heading above={8} />
    <Moment />
    <Slot name="body" dress={bodyDress()} />
    <LinkButton />
    <Slot name="codeHint" dress={smallDress()} />
    <LinkAddress />
  </Frame>
);

export default Notification;
