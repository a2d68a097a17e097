# SPDX-License-Identifier: Apache-2.0
"""The wire between the ends."""
from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from tcproctor import messages as m
from tcproctor import methods
from tcproctor.segments import pattern

if TYPE_CHECKING:
    from tcproctor.aio.session import Session

#: A segment in which an absent field is anything, or a pattern.
Matches = m.Segment | m.SegmentPattern


class Wire:
    """Inject, expect, hold, impair, log. `end` is always the end whose segments are meant, "A" or "B"."""

    def __init__(self, session: Session) -> None:
        self.session = session

    async def inject(self, end: m.AnyEnd, *segments: m.Segment | m.TimedSegment,
                     background: bool = False) -> m.InjectResponse:
        """Crafted segments in the name of that end, at once or as a train with gaps."""
        train = [item if isinstance(item, m.TimedSegment) else m.TimedSegment(segment=item) for item in segments]
        return await self._inject(end, train=train, background=background)

    async def flood(self, end: m.AnyEnd, segment: m.Segment, *, background: bool = False,
                    **flood: Any) -> m.InjectResponse:
        """Many alike segments from many sources; fields are those of Flood: count, rate, source_prefix, …"""
        return await self._inject(end, flood=m.Flood(segment=segment, **flood), background=background)

    async def _inject(self, end: m.AnyEnd, **request: Any) -> m.InjectResponse:
        return await self.session.call(methods.Wire.INJECT, m.InjectRequest(
            session=self.session.id, from_=m.End.parse(end), **request))

    async def expect(self, end: m.AnyEnd, what: Matches, *, skip: bool = False, after: int | None = None,
                     timeout: float | None = 10.0) -> m.ExpectResponse:
        """The next segment of that end matches (with `skip`: others may come before).

        True if so: `assert wire.expect("B", tcp("S."))`; the next expect of that end begins behind it. Else
        `differences` says where it differs, and the segment is still the next one: another expect may ask it for
        something else, or go on behind it by `after=answer.cursor`.
        """
        mode = m.ExpectMode.SKIP if skip else m.ExpectMode.NEXT
        return await self._expect(end, pattern=pattern(what), mode=mode, after=after, timeout=timeout)

    async def silence(self, end: m.AnyEnd, seconds: float, what: Matches | None = None, *,
                      after: int | None = None) -> m.ExpectResponse:
        """True: that end sends nothing (nothing such) for all that session time. What it does send stays for expect."""
        return await self._expect(end, pattern=None if what is None else pattern(what),
                                  mode=m.ExpectMode.SILENCE, after=after, timeout=seconds)

    async def _expect(self, end: m.AnyEnd, **request: Any) -> m.ExpectResponse:
        return await self.session.call(methods.Wire.EXPECT, m.ExpectRequest(
            session=self.session.id, from_=m.End.parse(end), **request))

    async def hold(self, end: m.AnyEnd, what: Matches | None = None) -> None:
        """From now on what that end sends is kept back."""
        await self._hold(end, None if what is None else pattern(what), True)

    async def end_hold(self, end: m.AnyEnd) -> None:
        """Holds nothing more; what is held stays held."""
        await self._hold(end, None, False)

    async def _hold(self, end: m.AnyEnd, what: m.SegmentPattern | None, on: bool) -> None:
        await self.session.call(methods.Wire.HOLD, m.HoldRequest(
            session=self.session.id, from_=m.End.parse(end), pattern=what, on=on))

    async def release(self, *numbers: int, drop: bool = False) -> list[int]:
        """Delivers (or drops) what is held: those numbers in that order, or all, oldest first."""
        return (await self.session.call(methods.Wire.RELEASE, m.ReleaseHeldRequest(
            session=self.session.id, numbers=list(numbers), drop=drop))).numbers

    async def impair(self, end: m.AnyEnd, **impairment: Any) -> None:
        """Loss, delay, … of what that end sends; fields are those of ImpairRequest, none of them ends it."""
        await self.session.call(methods.Wire.IMPAIR, m.ImpairRequest(
            session=self.session.id, from_=m.End.parse(end), **impairment))

    async def log(self, *, after: int = 0, end: m.AnyEnd = m.End.UNSPECIFIED,
                  what: Matches | None = None) -> list[m.LogEntry]:
        """The log so far."""
        return [entry async for entry in self._log(after, end, what, False)]

    def follow(self, *, after: int = 0, end: m.AnyEnd = m.End.UNSPECIFIED,
               what: Matches | None = None) -> AsyncIterator[m.LogEntry]:
        """The log, and what comes, until the session ends."""
        return self._log(after, end, what, True)

    def _log(self, after: int, end: m.AnyEnd, what: Matches | None, follow: bool) -> AsyncIterator[m.LogEntry]:
        return self.session.client.stream(methods.Wire.LOG, m.LogRequest(
            session=self.session.id, after=after, from_=m.End.parse(end), follow=follow,
            pattern=None if what is None else pattern(what)))

    async def pcap(self, after: int = 0) -> bytes:
        """The log as a pcap file (nanoseconds, raw IP)."""
        request = m.PcapRequest(session=self.session.id, after=after)
        return b"".join([chunk.data async for chunk in self.session.client.stream(methods.Wire.PCAP, request)])
