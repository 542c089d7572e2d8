"""Dueling Decoders (Seybold, Fertig, Alemi & Fischer 2019): its studies, tables and figures."""
