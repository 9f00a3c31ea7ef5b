-- A booking store as the last server of schema version 1 left it; the first server of that version
-- wrote project-2 and room-1, whose documents lack what came later.

INSERT INTO bookings (id, reservation_id, entry_id, resource_id, project_id, graph, state,
    start_ms, end_ms, quantity, what, place, description,
    customers, meta, created_ms, updated_ms, blocks, exclusive, double, key_digest, key_fingerprint) VALUES
    ('booking-1', 'room-1.01M00000000000000000000001', '01M00000000000000000000001', 'room-1', 'project-1',
     'instant', 'confirmed', 1900000000000, 1900003600000, 1, 'Haircut', 'Main Street 1', 'Short, please',
     '[{"id":"customer-1","name":"Zoë","email":"zoe@example.com"}]', '{"note":"first"}', 1899996400001, 1899996400001, true, true, false, 'key-of-booking', 'body-3'),
    ('booking-2', 'room-1.01M00000000000000000000002', '01M00000000000000000000002', 'room-1', NULL,
     'instant', 'cancelled', 1900003600000, 1900007200000, 1, 'Haircut', 'Main Street 1', 'Short, please',
     '[{"id":"customer-2","name":"Zoë","email":"zoe@example.com"}]', '{}', 1899996400002, 1900000000000, false, true, false, NULL, NULL),
    ('booking-3', 'room-1.01M00000000000000000000003', '01M00000000000000000000003', 'room-1', NULL,
     'instant', 'completed', 1900007200000, 1900039600000, 1, 'Haircut', 'Main Street 1', 'Short, please',
     '[{"id":"customer-3","name":"Zoë","email":"zoe@example.com"}]', '{}', 1899996400003, 1900000000000, true, true, false, NULL, NULL),
    ('booking-4', 'room-1.01M00000000000000000000004', '01M00000000000000000000004', 'room-1', NULL,
     'instant', 'cancelled_by_customer', 1900003600000, 1900007200000, 1, 'Haircut', 'Main Street 1', 'Short, please',
     '[{"id":"customer-4","name":"Zoë","email":"zoe@example.com"}]', '{}', 1899996400004, 1900000000000, false, true, false, NULL, NULL),
    ('booking-5', 'table.01M00000000000000000000005', '01M00000000000000000000005', 'table', NULL,
     'instant', 'confirmed', 1900000000000, 1900007200000, 2, 'Haircut', 'Main Street 1', 'Short, please',
     '[{"id":"customer-5","name":"Zoë","email":"zoe@example.com"}]', '{}', 1899996400005, 1899996400005, true, false, false, NULL, NULL),
    ('booking-6', 'hall.01M00000000000000000000006', '01M00000000000000000000006', 'hall', NULL,
     'instant', 'confirmed', 1900000000000, 1900003600000, 1, 'Haircut', 'Main Street 1', 'Short, please',
     '[{"id":"customer-6","name":"Zoë","email":"zoe@example.com"}]', '{}', 1899996400006, 1899996400006, true, true, false, NULL, NULL);

INSERT INTO resource_fences (resource_id, fence, longest_ms) VALUES
    ('hall', 0, 3600000),
    ('room-1', 2, 32400000),
    ('table', 1, 7200000);

INSERT INTO projects (id, slug, document, created_ms, updated_ms) VALUES
    ('project-1', 'salon',
     '{"id":"project-1","name":"Salon Zoë","slug":"salon","reservation_time":120,"allow_double_bookings":false,"availability":{},"availability_constraints":[],"booking":{"graph":null,"what":"Haircut","where":"Main Street 1","description":null},"resources":[],"customer_fields":{},"ui":{},"meta":{"colour":"red"},"created_ms":0,"updated_ms":0}', 1790000000000, 1790000000000),
    ('project-2', 'bare',
     '{"id":"project-2","name":"Bare","slug":"bare","reservation_time":null,"booking":{"graph":null,"what":null,"where":null,"description":null},"meta":{},"created_ms":0,"updated_ms":0}', 1790000000001, 1790000000001);

INSERT INTO resources (id, capacity, document, created_ms, updated_ms) VALUES
    ('room-1', 1,
     '{"id":"room-1","name":"Room 1","timezone":"UTC","capacity":1,"email":null,"meta":{},"created_ms":0,"updated_ms":0}', 1790000000002, 1790000000002),
    ('table', 3,
     '{"id":"table","name":"The table","timezone":"Europe/Berlin","capacity":3,"email":"table@example.com","availability_constraints":[],"meta":{"seats":"3"},"created_ms":0,"updated_ms":0}', 1790000000003, 1790000000003);

INSERT INTO idempotency_keys (digest, fingerprint, kind, id) VALUES
    ('key-of-project', 'body-1', 'project', 'project-1'),
    ('key-of-resource', 'body-2', 'resource', 'table');

UPDATE settings_version SET version = 5;
