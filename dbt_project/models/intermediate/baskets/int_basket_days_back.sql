-- How many days of its calendar lie between each day of a basket and the base of each period.
{{ days_back(ref("int_basket_calendar"), ["basket_id"]) }}
