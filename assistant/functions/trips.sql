-- The sample database: real cities with invented hotels, venues and events.
-- Any resemblance to real ones is coincidental.
-- All prices are in EUR.

CREATE TABLE city (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    time_zone TEXT NOT NULL
);

-- All names under which a city is found; case does not matter.
CREATE TABLE city_name (
    name TEXT PRIMARY KEY,
    city_id INTEGER NOT NULL REFERENCES city
);

CREATE TABLE hotel (
    id INTEGER PRIMARY KEY,
    city_id INTEGER NOT NULL REFERENCES city,
    name TEXT NOT NULL,
    stars INTEGER NOT NULL CHECK (stars BETWEEN 1 AND 5),
    price_per_night_eur INTEGER NOT NULL CHECK (price_per_night_eur > 0),
    rooms INTEGER NOT NULL CHECK (rooms > 0)
);

-- Events repeat every week. weekday is 0 for Sunday to 6 for Saturday, as in strftime('%w').
CREATE TABLE event (
    id INTEGER PRIMARY KEY,
    city_id INTEGER NOT NULL REFERENCES city,
    name TEXT NOT NULL,
    category TEXT NOT NULL CHECK (category IN ('music', 'food', 'art', 'market', 'sport', 'walk')),
    venue TEXT NOT NULL,
    weekday INTEGER NOT NULL CHECK (weekday BETWEEN 0 AND 6),
    starts_at TEXT NOT NULL,
    price_eur INTEGER NOT NULL CHECK (price_eur >= 0)
);

-- The nights of a booking are check_in up to the day before check_out. Dates are YYYY-MM-DD.
CREATE TABLE booking (
    id INTEGER PRIMARY KEY,
    hotel_id INTEGER NOT NULL REFERENCES hotel,
    guest TEXT NOT NULL,
    check_in TEXT NOT NULL,
    check_out TEXT NOT NULL CHECK (check_out > check_in),
    price_eur INTEGER NOT NULL
);

-- The usual price of a return flight to a city, and what each agency asks of it.
CREATE TABLE fare (
    city_id INTEGER PRIMARY KEY REFERENCES city,
    price_eur INTEGER NOT NULL CHECK (price_eur > 0)
);

CREATE TABLE agency (
    name TEXT PRIMARY KEY,
    airline TEXT NOT NULL,
    stops INTEGER NOT NULL CHECK (stops >= 0),
    percent INTEGER NOT NULL CHECK (percent > 0)
);

CREATE INDEX booking_of_hotel ON booking (hotel_id, check_in);

INSERT INTO city (id, name, time_zone) VALUES
    (1, 'Tokyo', 'Asia/Tokyo'),
    (2, 'Kyoto', 'Asia/Tokyo'),
    (3, 'Osaka', 'Asia/Tokyo'),
    (4, 'Paris', 'Europe/Paris'),
    (5, 'London', 'Europe/London'),
    (6, 'Oslo', 'Europe/Oslo'),
    (7, 'New York', 'America/New_York'),
    (8, 'Lisbon', 'Europe/Lisbon'),
    (9, 'Berlin', 'Europe/Berlin'),
    (10, 'Sydney', 'Australia/Sydney');

INSERT INTO fare (city_id, price_eur) VALUES
    (1, 780), (2, 810), (3, 790), (4, 140), (5, 120), (6, 160), (7, 540), (8, 190), (9, 110), (10, 1090);

INSERT INTO agency (name, airline, stops, percent) VALUES
    ('Farewell Fares', 'Heron Air', 1, 88),
    ('Gate Seventeen', 'Tern & Gull', 0, 121),
    ('Kite Travel', 'Heron Air', 0, 104),
    ('Lark Flights', 'Skylark', 1, 93),
    ('Window Seat', 'Skylark', 0, 112);

INSERT INTO city_name (city_id, name) VALUES
    (1, 'Tokyo'), (1, 'Tōkyō'), (1, 'Tokio'), (1, '東京'), (1, '東京都'), (1, 'とうきょう'), (1, 'トーキョー'),
    (2, 'Kyoto'), (2, 'Kyōto'), (2, 'Kioto'), (2, '京都'), (2, '京都市'), (2, 'きょうと'),
    (3, 'Osaka'), (3, 'Ōsaka'), (3, '大阪'), (3, '大阪市'), (3, 'おおさか'),
    (4, 'Paris'), (4, 'パリ'), (4, '巴里'), (4, 'Parigi'),
    (5, 'London'), (5, 'ロンドン'), (5, 'Londres'), (5, 'Londra'),
    (6, 'Oslo'), (6, 'オスロ'),
    (7, 'New York'), (7, 'New York City'), (7, 'NYC'), (7, 'ニューヨーク'), (7, 'Nueva York'),
    (8, 'Lisbon'), (8, 'Lisboa'), (8, 'リスボン'), (8, 'Lisbonne'), (8, 'Lissabon'),
    (9, 'Berlin'), (9, 'ベルリン'),
    (10, 'Sydney'), (10, 'シドニー'), (10, 'シドニ');

INSERT INTO hotel (id, city_id, name, stars, price_per_night_eur, rooms) VALUES
    (11, 1, 'Nine Sparrows Hostel', 2, 48, 12),
    (12, 1, 'Lantern & Rail', 3, 96, 20),
    (13, 1, 'Hotel Quiet Crossing', 4, 178, 16),
    (14, 1, 'The Indigo Pagoda', 5, 410, 6),
    (21, 2, 'Inn of the Slow Brook', 3, 124, 1),
    (22, 2, 'Mossgate Guesthouse', 2, 64, 8),
    (23, 2, 'Hotel Paper Maple', 4, 205, 12),
    (24, 2, 'The Cedar Veranda', 5, 465, 4),
    (31, 3, 'Takoyaki Street Rooms', 2, 42, 14),
    (32, 3, 'Hotel Seven Bridges', 3, 88, 22),
    (33, 3, 'The Copper Kettle', 4, 149, 10),
    (34, 3, 'Harbour Crane Suites', 5, 320, 5),
    (41, 4, 'Hôtel du Chat Bleu', 2, 89, 9),
    (42, 4, 'Maison Petit Matin', 3, 142, 11),
    (43, 4, 'Hôtel des Trois Horloges', 4, 236, 18),
    (44, 4, 'Le Palais Imaginaire', 5, 590, 7),
    (51, 5, 'The Damp Umbrella', 2, 95, 10),
    (52, 5, 'Marmalade House', 3, 154, 15),
    (53, 5, 'The Absent Duke', 4, 248, 12),
    (54, 5, 'Foxglove & Crown', 5, 545, 6),
    (61, 6, 'Fjordlys Vandrerhjem', 2, 72, 12),
    (62, 6, 'Hotell Rød Mitten', 3, 131, 14),
    (63, 6, 'The Birch Ferry', 4, 198, 10),
    (64, 6, 'Nordhavn Grand', 5, 372, 5),
    (71, 7, 'Fire Escape Hostel', 2, 98, 16),
    (72, 7, 'The Yellow Awning', 3, 176, 20),
    (73, 7, 'Hotel Fifth Pigeon', 4, 289, 14),
    (74, 7, 'The Gilded Water Tower', 5, 640, 6),
    (81, 8, 'Casa do Elétrico Azul', 2, 55, 8),
    (82, 8, 'Pensão Sete Azulejos', 3, 92, 10),
    (83, 8, 'Hotel Miradouro Manso', 4, 165, 12),
    (84, 8, 'Palácio da Sardinha', 5, 340, 6),
    (91, 9, 'Bett & Bahnsteig', 2, 49, 18),
    (92, 9, 'Hotel Leise Linde', 3, 99, 16),
    (93, 9, 'Das Rote Rad', 4, 168, 12),
    (94, 9, 'Haus Morgenkranich', 5, 335, 6),
    (101, 10, 'The Barefoot Ibis', 2, 58, 12),
    (102, 10, 'Jacaranda Steps', 3, 117, 14),
    (103, 10, 'Hotel Southern Sail', 4, 214, 12),
    (104, 10, 'The Pearl Tide', 5, 430, 5);

INSERT INTO event (city_id, name, category, venue, weekday, starts_at, price_eur) VALUES
    (1, 'Jazz under the Tracks', 'music', 'Bar Number Eight', 5, '20:00', 18),
    (1, 'Dawn Market Walk', 'walk', 'Gate of the Old Fish Hall', 2, '06:30', 25),
    (1, 'Pixel Print Fair', 'art', 'Studio Blue Tin', 6, '11:00', 8),
    (1, 'Evening Noodle Class', 'food', 'Kitchen Three Bowls', 3, '18:30', 45),
    (2, 'Moss Garden at Seven', 'walk', 'Slow Brook Bridge', 0, '07:00', 12),
    (2, 'Tea for Beginners', 'food', 'House of the Tilted Roof', 4, '14:00', 30),
    (2, 'Flea Market of Small Things', 'market', 'Paper Maple Yard', 6, '09:00', 0),
    (2, 'Flute by Candlelight', 'music', 'Cedar Hall', 5, '19:00', 22),
    (3, 'Street Food Relay', 'food', 'Seven Bridges Quay', 5, '18:00', 35),
    (3, 'Stand-up Bass Night', 'music', 'Cellar Kettle', 4, '20:30', 15),
    (3, 'Canal Run', 'sport', 'Crane Pier', 0, '08:00', 5),
    (3, 'Night Market by the Water', 'market', 'Crane Pier', 6, '17:00', 0),
    (4, 'Accordéon sur le Toit', 'music', 'Terrasse Imaginaire', 5, '20:30', 20),
    (4, 'Croquis de Nuit', 'art', 'Atelier de la Lampe Verte', 3, '19:00', 14),
    (4, 'Marché des Trois Horloges', 'market', 'Place des Trois Horloges', 0, '08:00', 0),
    (4, 'Bread before Breakfast', 'food', 'Fournil Petit Matin', 2, '06:00', 38),
    (5, 'Poems in the Boiler Room', 'art', 'The Old Boiler', 1, '19:30', 10),
    (5, 'Marmalade Masterclass', 'food', 'Marmalade House', 6, '10:30', 42),
    (5, 'Foggy Alleys Walk', 'walk', 'The Damp Umbrella', 4, '18:00', 15),
    (5, 'Brass on the Barge', 'music', 'Barge Absent Duke', 5, '20:00', 24),
    (6, 'Sauna and Swim', 'sport', 'Rød Mitten Pier', 6, '10:00', 28),
    (6, 'Fiddles after Work', 'music', 'Kafé Bjørkeferje', 3, '18:00', 12),
    (6, 'Woodcut Wednesday', 'art', 'Verksted Nord', 3, '16:00', 20),
    (6, 'Forest Lamp Walk', 'walk', 'Last Tram Stop', 0, '17:30', 0),
    (7, 'Rooftop Quartet', 'music', 'Water Tower Terrace', 5, '20:00', 32),
    (7, 'Pickle Festival', 'food', 'Yellow Awning Hall', 0, '11:00', 15),
    (7, 'Pickup Basketball', 'sport', 'Pigeon Court', 6, '09:30', 0),
    (7, 'Galleries after Dark', 'art', 'Fire Escape Row', 4, '18:00', 0),
    (8, 'Fado at the Corner', 'music', 'Tasca da Esquina Velha', 5, '21:00', 25),
    (8, 'Tile Painting Morning', 'art', 'Oficina Sete Azulejos', 2, '10:00', 34),
    (8, 'Sardine Sunday', 'food', 'Cais da Sardinha', 0, '12:30', 18),
    (8, 'Seven Hills on Foot', 'walk', 'Miradouro Manso', 6, '09:00', 10),
    (9, 'Modular Monday', 'music', 'Keller Drei', 1, '21:00', 12),
    (9, 'Flohmarkt am Roten Rad', 'market', 'Hof zum Roten Rad', 0, '10:00', 0),
    (9, 'Table Tennis Open', 'sport', 'Lindenplatz', 4, '18:30', 0),
    (9, 'Print Your Own Poster', 'art', 'Werkstatt Kranich', 6, '13:00', 22),
    (10, 'Ocean Pool Laps', 'sport', 'Pearl Tide Pool', 3, '06:30', 6),
    (10, 'Bush Tucker Brunch', 'food', 'Jacaranda Steps', 0, '10:30', 40),
    (10, 'Harbour Sketch Club', 'art', 'Southern Sail Deck', 6, '15:00', 9),
    (10, 'Sunset Strings', 'music', 'Barefoot Lawn', 5, '18:30', 16);
