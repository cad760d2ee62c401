"""Sentences of customers in several languages, about parcels, refunds and accounts."""

GERMAN = """Wo ist mein Paket geblieben
Ich möchte mein Geld zurück
Die Lieferung ist immer noch nicht angekommen
Wie kann ich mein Passwort ändern
Meine Rechnung stimmt nicht
Ich habe den falschen Artikel bekommen
Wann wird meine Bestellung verschickt
Können Sie die Adresse noch ändern
Der Rabattcode funktioniert leider nicht
Ich will mein Abonnement kündigen
Die Ware ist beschädigt angekommen
Wie lange dauert die Rückerstattung
Warum wurde meine Karte abgelehnt
Bitte löschen Sie mein Kundenkonto
Gibt es dieses Hemd auch in Blau
Der Bildschirm bleibt nach dem Einschalten schwarz
Ich kann mich nicht anmelden
Haben Sie am Samstag geöffnet"""

FRENCH = """Où est passé mon colis
Je voudrais être remboursé
La livraison n'est toujours pas arrivée
Comment puis-je changer mon mot de passe
Ma facture n'est pas correcte
J'ai reçu le mauvais article
Quand ma commande sera-t-elle expédiée
Pouvez-vous encore modifier l'adresse
Le code de réduction ne fonctionne pas
Je veux résilier mon abonnement
La marchandise est arrivée endommagée
Combien de temps prend le remboursement
Pourquoi ma carte a-t-elle été refusée
Veuillez supprimer mon compte client
Cette chemise existe-t-elle aussi en bleu
L'écran reste noir après l'allumage
Je n'arrive pas à me connecter
Êtes-vous ouverts le samedi"""

SPANISH = """Dónde está mi paquete
Quiero que me devuelvan el dinero
El envío todavía no ha llegado
Cómo puedo cambiar mi contraseña
Mi factura no es correcta
He recibido el artículo equivocado
Cuándo se enviará mi pedido
Pueden cambiar todavía la dirección
El código de descuento no funciona
Quiero cancelar mi suscripción
La mercancía llegó dañada
Cuánto tarda el reembolso
Por qué rechazaron mi tarjeta
Por favor borren mi cuenta de cliente
Hay esta camisa también en azul
La pantalla se queda negra al encenderla
No puedo iniciar sesión
Están abiertos los sábados"""

CHINESE = """我的包裹在哪里
我想要退款
货物还没有送到
怎么修改我的密码
我的账单不对
我收到了错误的商品
我的订单什么时候发货
还可以更改地址吗
折扣码不能用
我想取消订阅
商品到达时已经损坏
退款需要多长时间
为什么我的卡被拒绝了
请删除我的账户
这件衬衫有蓝色的吗
开机后屏幕一直是黑的
我无法登录
你们星期六营业吗"""

RUSSIAN = """Где моя посылка
Я хочу вернуть деньги
Доставка до сих пор не пришла
Как мне изменить пароль
Мой счёт неправильный
Я получил не тот товар
Когда отправят мой заказ
Можно ли ещё изменить адрес
Промокод не работает
Я хочу отменить подписку
Товар пришёл повреждённым
Сколько времени занимает возврат денег
Почему отклонили мою карту
Пожалуйста удалите мою учётную запись
Есть ли эта рубашка в синем цвете
Экран остаётся чёрным после включения
Я не могу войти в систему
Вы работаете в субботу"""

OTHERS = {
    name: text.splitlines()
    for name, text in {
        "German": GERMAN,
        "French": FRENCH,
        "Spanish": SPANISH,
        "Chinese": CHINESE,
        "Russian": RUSSIAN,
    }.items()
}
"""Sentences by language."""

ENGLISH = """Where has my parcel gone
I want my money back
The delivery still has not arrived
How can I change my password
My invoice is not correct
I received the wrong article
When will my order be shipped
Can you still change the address
The discount code does not work
I want to cancel my subscription
The goods arrived damaged
How long does the refund take
Why was my card declined
Please delete my customer account
Is this shirt available in blue too
The screen stays black after switching on
I cannot log in
Are you open on Saturday
The SATA SSD throws an I/O timeout after the BIOS update
pls refund my $$ asap, thx!!!
Firmware v2.3.1 bricked my Wi-Fi router (model RT-AX88U)
can't login 2 my acct w/ new iPhone
Dr. Nguyen prescribed amoxicillin and ibuprofen for tonsillitis
The plaintiff's attorney filed a motion for summary judgement
Kubernetes pods crash-loop with OOMKilled on the staging cluster
Spotify won't shuffle my Despacito playlist""".splitlines()
