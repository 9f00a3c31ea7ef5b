"""Reservations in Redis: the adapter behind `ports.ReservationStore`."""
