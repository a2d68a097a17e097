# SPDX-License-Identifier: Apache-2.0
"""The blocking API: made from tcproctor.aio, but for the transport."""
